"""What one tenant does otherwise than the contract, and the translation at the client's edge."""
