"""Invented names, streets and models; any likeness to a person is chance."""

from __future__ import annotations

import typing as t

FIRST_NAMES: t.Final = (
    "Ada", "Alan", "Amara", "Beatriz", "Carlos", "Chloé", "Dmitri", "Elena", "Fatima", "George",
    "Grace", "Hiro", "Ingrid", "Jamal", "José", "Keiko", "Liam", "Maria", "Nadia", "Noah",
    "Olivia", "Omar", "Priya", "Quentin", "Rosa", "Sean", "Siobhán", "Tariq", "Uma", "Wei",
)  # fmt: skip
LAST_NAMES: t.Final = (
    "Abbott", "Álvarez", "Baker", "Chen", "Dubois", "Edwards", "Fischer", "Garcia", "Haddad",
    "Ibrahim", "Jackson", "Kim", "Larsen", "Müller", "Nakamura", "O'Brien", "Okafor", "Patel",
    "Quinn", "Rossi", "Santos", "Silva", "Smith", "Tanaka", "Underwood", "Vargas", "Washington",
    "Young", "Zhang", "van der Berg",
)  # fmt: skip
STREETS: t.Final = (
    "Maple Ave",
    "Oak St",
    "2nd St",
    "Canyon Rd",
    "Mill Lane",
    "Harbor Blvd",
    "County Road 12",
)
CITIES: t.Final = (
    ("Albany", "NY", "12203"),
    ("Mesa", "AZ", "85201"),
    ("Long Beach", "CA", "90802"),
    ("Peoria", "IL", "61602"),
    ("Boulder", "CO", "80302"),
    ("Lafayette", "LA", "70501"),
    ("Newark", "NJ", "07102"),
)
"""City, region and postal code; one code starts with a zero."""

SOURCES: t.Final = ("walk_in", "website", "phone", "referral", "third_party_lead", "service_drive")

MODELS: t.Final = {
    "Toyota": (
        "4T1",
        (("Camry", "sedan", 29_000), ("RAV4", "suv", 33_000), ("Tacoma", "truck", 38_000)),
    ),
    "Ford": (
        "1FT",
        (("F-150", "truck", 47_000), ("Escape", "suv", 31_000), ("Mustang", "coupe", 36_000)),
    ),
    "Honda": (
        "1HG",
        (("Civic", "sedan", 26_000), ("CR-V", "suv", 33_500), ("Odyssey", "van", 42_000)),
    ),
    "Chevrolet": (
        "1GC",
        (("Silverado", "truck", 45_000), ("Equinox", "suv", 30_500), ("Malibu", "sedan", 27_500)),
    ),
    "Subaru": (
        "4S4",
        (("Outback", "wagon", 32_500), ("Forester", "suv", 31_500), ("WRX", "sedan", 34_000)),
    ),
    "Nissan": (
        "1N4",
        (("Altima", "sedan", 27_800), ("Rogue", "suv", 30_200), ("Frontier", "truck", 34_900)),
    ),
}
"""Make to its manufacturer identifier and models: name, body style, base price in dollars."""

TRIMS: t.Final = ("Base", "LE", "SE", "XLE", "Limited")
COLORS: t.Final = (
    "Silver",
    "Black",
    "White",
    "Celestial Blue",
    "Ruby Red",
    "Lunar Rock",
    "Café Brown",
)
INTERIORS: t.Final = ("Black", "Gray", "Ash", "Saddle")
ENGINES: t.Final = (
    ("gasoline", "2.5L I4", "automatic", "fwd"),
    ("hybrid", "2.5L I4 Hybrid", "cvt", "awd"),
    ("gasoline", "3.5L V6", "automatic", "4wd"),
    ("electric", "Single motor", "single_speed", "rwd"),
)
"""Fuel, engine, transmission and drive of a vehicle."""
