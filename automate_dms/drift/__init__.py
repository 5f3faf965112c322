"""`automate-dms drift`: whether records are as the contract and the overlay have them."""
