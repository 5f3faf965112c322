"""dlt: its rest_api source, and a source written by hand that gives Arrow tables."""
