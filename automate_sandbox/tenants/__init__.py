"""The sandbox as a tenant that differs from the contract."""
