"""What Auth0 answers: discovery, probes, sign-in, and what each answer means."""
