#!/usr/bin/env python3
"""Writes the corpus of telephone numbers, as parsed by Google's port, that the ledger's parser is compared with.

    python3 -m venv v && v/bin/pip install phonenumbers==9.0.42
    v/bin/python tests/python/phone_corpus.py > numbers.tsv
    zstd -19 numbers.tsv -o tests/fixtures/phone/google-9.0.42.tsv.zst

A line is: region (or -), the number as written, its E.164 form (or - if it does not parse), whether it is valid
(1 or 0), its extension (or -). The same version writes the same bytes.
"""

import random
import sys

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from phonenumbers.phonemetadata import PhoneMetadata

EXAMPLES_OF_A_TYPE = 5
RANDOM_OF_A_REGION = 40
TYPES = [kind for kind in PhoneNumberType.values() if kind != PhoneNumberType.UNKNOWN]
INTERNATIONAL_PREFIXES = ["00", "011", "0011", "010", "810", "001"]


def examples(region, dice):
    """Yields example numbers of each type, and variants with random last digits."""
    for kind in TYPES:
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            continue
        yield example
        digits = phonenumbers.national_significant_number(example)
        for _ in range(EXAMPLES_OF_A_TYPE - 1):
            kept = dice.randrange(1, len(digits))
            drawn = digits[:kept] + "".join(dice.choice("0123456789") for _ in digits[kept:])
            yield phonenumbers.parse(f"+{example.country_code}{drawn}")


def spellings(number, region, dice):
    """Yields valid and invalid spellings of one number, with the region for parsing."""
    national = phonenumbers.national_significant_number(number)
    code = str(number.country_code)
    written = phonenumbers.format_number
    every = [
        (None, written(number, PhoneNumberFormat.E164)),
        (region, written(number, PhoneNumberFormat.INTERNATIONAL)),
        (region, written(number, PhoneNumberFormat.NATIONAL)),
        (None, written(number, PhoneNumberFormat.RFC3966)),
        (region, national),
        (region, code + national),
        (None, code + national),
        ("GB", code + national),
        ("US", national),
        (region, code + code + national),
        (region, f"+{code}0{national}"),
        (region, f"+{code}{code}{national}"),
        (region, "0" + national),
        (region, "8" + national),
        (region, "1" + national),
        (region, dice.choice(INTERNATIONAL_PREFIXES) + code + national),
        ("US", "011" + code + national),
        ("GB", "00" + code + national),
        (region, f"+{code}{national[:-1]}"),
        (region, f"+{code}{national}{dice.choice('0123456789')}"),
        (region, national[:-1]),
        (region, national + dice.choice("0123456789")),
        (region, f"+{code} (0) {national}"),
        (region, f"{national} ext. {dice.randrange(1, 9999)}"),
        (None, f"+{code}{national};ext={dice.randrange(1, 9999)}"),
        (None, f"+{code}{national}x{dice.randrange(1, 9999)}"),
        (None, f"+{code}{national},{dice.randrange(1, 999)}#"),
        (dice.choice(REGIONS), national),
        (dice.choice(REGIONS), written(number, PhoneNumberFormat.NATIONAL)),
        (None, "+" + "-".join(code + national)),
        (None, f"+{dice.randrange(1, 999)}{national}"),
    ]
    return dice.sample(every, 6)


def at_random(region, dice):
    """Yields random digits of a length possible in the region, half of them after the region's country code."""
    metadata = PhoneMetadata.metadata_for_region(region)
    code = str(metadata.country_code)
    lengths = [length for length in metadata.general_desc.possible_length if length > 0]
    for nth in range(RANDOM_OF_A_REGION):
        length = dice.choice(lengths)
        digits = code if nth % 2 == 0 else ""
        digits = (digits + "".join(dice.choice("0123456789") for _ in range(length)))[:length]
        yield region, digits
        yield None, f"+{code}{digits}"


def without_a_region(dice):
    """Yields numbers without a country: satellites, international toll-free numbers, and unassigned codes."""
    for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        example = phonenumbers.example_number_for_non_geo_entity(code)
        digits = phonenumbers.national_significant_number(example)
        for _ in range(20):
            yield None, f"+{code}{digits}"
            yield dice.choice(REGIONS), f"{code}{digits}"
            digits = digits[:-3] + "".join(dice.choice("0123456789") for _ in range(3))
    for code in range(1, 1000):
        digits = "".join(dice.choice("0123456789") for _ in range(dice.randrange(5, 13)))
        yield dice.choice(REGIONS), f"+{code}{digits}"


def read(region, text):
    """Returns the E.164 form, validity and extension by Google's port."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return "-", 0, "-"
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return e164, int(phonenumbers.is_valid_number(number)), number.extension or "-"


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)


def main():
    dice = random.Random(7)
    cases = []
    for region in REGIONS:
        for number in examples(region, dice):
            cases += spellings(number, region, dice)
        cases += at_random(region, dice)
    cases += without_a_region(dice)
    print(f"# phonenumbers {phonenumbers.__version__}")
    for region, text in sorted(set(cases), key=lambda case: (case[0] or "", case[1])):
        e164, valid, extension = read(region, text)
        print(region or "-", text, e164, valid, extension, sep="\t")


if __name__ == "__main__":
    sys.exit(main())
