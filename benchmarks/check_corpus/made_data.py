"""Numbers with right check digits, and the same with wrong ones: nobody's."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from random import Random

from stdnum import iban, luhn
from stdnum.de import idnr
from stdnum.es import dni
from stdnum.fr import nir
from stdnum.iso7064 import mod_97_10
from stdnum.it import codicefiscale
from stdnum.nl import bsn
from stdnum.pl import pesel
from stdnum.tr import tckimlik

Make = Callable[[Random], str]

_WORD = string.ascii_letters + string.digits


def digits(random: Random, count: int) -> str:
    """Return some decimal digits."""
    return "".join(random.choices(string.digits, k=count))


def card(random: Random) -> str:
    """Return the number of a card, grouped as people write it."""
    body = random.choice(["4", "51", "53", "55", "37"])
    length = 14 if body == "37" else 15
    body += digits(random, length - len(body))
    number = body + luhn.calc_check_digit(body)
    if len(number) == 15:
        return f"{number[:4]} {number[4:10]} {number[10:]}" if random.random() < 0.5 else number
    joint = random.choice([" ", "-", ""])
    return joint.join(number[at : at + 4] for at in range(0, 16, 4))


def wrong(number: str) -> str:
    """Return a number with its last digit changed."""
    return f"{number[:-1]}{(int(number[-1]) + 1) % 10}"


_IBAN_DIGITS = {"DE": 18, "FR": 0, "ES": 20, "PL": 24, "TR": 22, "NL": 0, "PT": 21}


def iban_of(random: Random) -> str:
    """Return an IBAN that is valid in its country, in groups or in one piece."""
    while True:
        country = random.choice([each for each, count in _IBAN_DIGITS.items() if count])
        body = digits(random, _IBAN_DIGITS[country])
        check = mod_97_10.calc_check_digits(body + country)
        number = f"{country}{check}{body}"
        if iban.is_valid(number):
            return iban.format(number) if random.random() < 0.5 else number


def mailbox(random: Random) -> str:
    """Return a mailbox at a domain for examples."""
    name = random.choice(["ana", "j.smith", "info", "li_wei", "m.mueller+news", "ivan1990", "kontakt"])
    domain = f"{random.choice(['example', 'mail.example', 'firma'])}.{random.choice(['com', 'org', 'de', 'co.uk'])}"
    return f"{name}{random.randrange(100)}@{domain}"


def token(random: Random) -> str:
    """Return a token as some service writes it."""
    prefix, length, alphabet = random.choice(
        [
            ("AKIA", 16, string.ascii_uppercase + "234567"),
            ("ghp_", 36, _WORD),
            ("glpat-", 20, _WORD),
            ("sk_live_", 24, _WORD),
            ("SG.", 0, _WORD),
            ("hf_", 34, string.ascii_letters),
            ("password: ", 0, _WORD),
        ]
    )
    if prefix == "SG.":
        return f"SG.{''.join(random.choices(_WORD, k=22))}.{''.join(random.choices(_WORD, k=43))}"
    if prefix.endswith(": "):
        small, capitals = random.choices(string.ascii_lowercase, k=5), random.choices(string.ascii_uppercase, k=3)
        return f"{prefix}{''.join(small)}{digits(random, 3)}{''.join(capitals)}!"
    return prefix + "".join(random.choices(alphabet, k=length))


def _valid(make: Make, is_valid: Callable[[str], object]) -> Make:
    def draw(random: Random) -> str:
        while True:
            number = make(random)
            if is_valid(number):
                return number

    return draw


def _codice(random: Random) -> str:
    body = "".join(random.choices("BCDFGLMNPRST", k=6)) + f"{random.randrange(50, 99)}{random.choice('ABCDEHLMPRST')}"
    body += f"{random.randrange(10, 28)}{random.choice('AFHL')}{digits(random, 3)}"
    return body + codicefiscale.calc_check_digit(body)


def _dni(random: Random) -> str:
    number = digits(random, 8)
    return number + dni.calc_check_digit(number)


def _nir(random: Random) -> str:
    born = f"{random.choice('12')}{random.randrange(50, 99)}{random.randrange(1, 13):02}"
    body = f"{born}{random.randrange(10, 90)}{digits(random, 6)}"
    return f"{body}{97 - int(body) % 97:02}"


def _pesel(random: Random) -> str:
    body = f"{random.randrange(50, 99)}{random.randrange(1, 13):02}{random.randrange(1, 29):02}{digits(random, 4)}"
    return body + pesel.calc_check_digit(body)


NATIONAL_IDS: Mapping[str, tuple[str, Make]] = {
    "en": (
        "SSN",
        lambda random: f"{random.randrange(100, 600)}-{random.randrange(10, 99)}-{random.randrange(1000, 9999)}",
    ),
    "de": ("Steuer-ID", _valid(lambda random: digits(random, 11), idnr.is_valid)),
    "fr": ("numéro de sécurité sociale", _valid(_nir, nir.is_valid)),
    "es": ("DNI", _dni),
    "it": ("codice fiscale", _valid(_codice, codicefiscale.is_valid)),
    "nl": ("BSN", _valid(lambda random: digits(random, 9), bsn.is_valid)),
    "pl": ("PESEL", _valid(_pesel, pesel.is_valid)),
    "tr": ("TCKN", _valid(lambda random: digits(random, 11), tckimlik.is_valid)),
}
"""By language, what people call the number, and the number."""

PHONES: Mapping[str, Make] = {
    "en": lambda random: f"+44 20 7946 0{digits(random, 3)}",
    "de": lambda random: f"+49 30 {random.randrange(200000, 999999)}",
    "fr": lambda random: f"+33 1 4{random.randrange(0, 9)} {digits(random, 2)} {digits(random, 2)} {digits(random, 2)}",
    "es": lambda random: f"+34 91 {random.randrange(200, 999)} {digits(random, 2)} {digits(random, 2)}",
    "it": lambda random: f"+39 06 {random.randrange(2000000, 8999999)}",
    "pt": lambda random: f"+351 21 {random.randrange(300, 399)} {digits(random, 4)}",
    "nl": lambda random: f"+31 20 {random.randrange(2000000, 7999999)}",
    "pl": lambda random: f"+48 22 {random.randrange(200, 899)} {digits(random, 2)} {digits(random, 2)}",
    "ru": lambda random: f"+7 495 {random.randrange(200, 999)}-{digits(random, 2)}-{digits(random, 2)}",
    "tr": lambda random: f"+90 212 {random.randrange(200, 599)} {digits(random, 2)} {digits(random, 2)}",
    "ja": lambda random: f"+81 3 {random.randrange(3200, 6999)} {digits(random, 4)}",
    "zh": lambda random: f"+86 10 {random.randrange(5000, 8999)} {digits(random, 4)}",
}


def unchanged(datum: str) -> str:
    """Return a datum as it is."""
    return datum


ODD: Mapping[str, Callable[[str], str]] = {
    "card": lambda number: ".".join(number.replace("-", " ").split()),
    "iban": str.lower,
    "email": lambda mailbox: mailbox.replace("@", " (at) "),
    "phone": lambda number: f"0{number.split(' ', 1)[1]}",
    "national_id": lambda named: named.rpartition(" ")[2],
    "secret": lambda token: token.rpartition(": ")[2] if ": " in token else f"{token[:6]} {token[6:]}",
    "address": lambda address: address.lower(),
}
"""By entity, a way to write it that people use and rules do not expect."""
