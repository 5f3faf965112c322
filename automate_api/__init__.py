"""What tap and target share: the API as a client sees it (no Singer, no SDK)."""
