"""Postal addresses: a street by the words that countries write for one, with the number of a house.

Rules like these find what is written the usual way, on one line. They know no register of streets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specspan.checks.detectors.detector import PatternDetector

LABEL = "address"

_NAME = r"[^\W\d_][\w'’.-]{0,24}"
_NAMES = rf"{_NAME}(?: {_NAME}){{0,3}}"
_ENGLISH = (
    rf"\b\d{{1,6}}[A-Za-z]? {_NAMES} (?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Terrace|"
    r"Crescent|Square|Highway|Hwy|Parkway|Pkwy)\b\.?"
)
_GERMAN = (
    r"\b[A-ZÄÖÜ][\wß-]{0,24}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer) \d{1,4} ?[a-h]?\b"
    r"(?:, ?(?:[A-Z]{1,2}-)?\d{4,5} [A-ZÄÖÜ]\w{1,24})?"
)
_GERMAN_WORDS = r"\b[A-ZÄÖÜ][\wß-]{0,24} (?:Straße|Strasse|Weg|Platz|Allee|Gasse|Ring) \d{1,4} ?[a-h]?\b"
_FRENCH = (
    r"\b\d{1,4}(?: ?(?:bis|ter))?,? (?i:rue|avenue|boulevard|place|chemin|allée|impasse|quai|cours) "
    rf"(?:(?:de la|de l'|des|du|de) ?)?{_NAME}(?: {_NAME}){{0,2}}(?:, ?\d{{5}})?"
)
_SPANISH = (
    r"\b(?i:calle|c/|avenida|avda\.|paseo|plaza|carrera)"
    rf" ?{_NAMES},? (?:n\.?º ?|núm\. |#)?\d{{1,4}}\b"
)
_ITALIAN = rf"\b(?i:via|viale|piazza|corso|largo) {_NAMES},? \d{{1,4}}(?:/?[a-d])?\b"
_PORTUGUESE = rf"\b(?i:rua|avenida|av\.|travessa|praça|alameda) {_NAMES},? (?:n\.?º ?)?\d{{1,5}}\b"
_DUTCH = (
    r"\b[A-Z][\w'-]{0,24}(?:straat|laan|weg|plein|gracht|kade|dreef|singel) \d{1,4} ?[a-h]?\b(?:, ?\d{4} ?[A-Z]{2}\b)?"
)
_POLISH = rf"\b(?i:ul\.|al\.|pl\.|os\.) ?{_NAMES} \d{{1,4}}[a-d]?(?:/\d{{1,4}})?\b"
_NORDIC = r"\b[A-ZÅÄÖØÆ][\w-]{0,24}(?:gatan|vägen|gränd|gade|vej|gata|veien|vegen|katu|tie) \d{1,4} ?[A-Da-d]?\b"
_JAPANESE = r"〒 ?\d{3}-?\d{4}|[東京大北]\w{0,3}[都道府県]\w{1,12}[市区町村][\w\d-]{0,20}\d"
_CHINESE = r"\w{1,8}(?:路|街|道|巷)\d{1,5}号"
_RUSSIAN = (
    r"\b(?i:ул\.|улица|проспект|пр-т|пр\.|переулок|пер\.) ?[А-ЯЁ][\wё.-]{1,30}(?: [А-ЯЁ][\wё.-]{1,30})?, ?"
    r"(?i:д\.|дом) ?\d{1,4}\b"
)
_TURKISH = r"\b[A-ZÇĞİÖŞÜ]\w{1,24} (?:Caddesi|Cad\.|Sokak|Sokağı|Sok\.|Mahallesi|Mah\.|Bulvarı) ?(?i:no): ?\d{1,4}\b"

ADDRESSES: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(("US", "CA", "GB", "IE", "AU", "NZ", "IN", "ZA"), (_ENGLISH,)),
    **dict.fromkeys(("DE", "AT"), (_GERMAN, _GERMAN_WORDS)),
    "CH": (_GERMAN, _GERMAN_WORDS, _FRENCH, _ITALIAN),
    **dict.fromkeys(("FR", "LU"), (_FRENCH,)),
    "BE": (_FRENCH, _DUTCH),
    **dict.fromkeys(("ES", "MX", "AR", "CL", "CO"), (_SPANISH,)),
    "IT": (_ITALIAN,),
    **dict.fromkeys(("PT", "BR"), (_PORTUGUESE,)),
    "NL": (_DUTCH,),
    "PL": (_POLISH,),
    **dict.fromkeys(("SE", "DK", "NO", "FI"), (_NORDIC,)),
    "JP": (_JAPANESE,),
    "CN": (_CHINESE,),
    **dict.fromkeys(("RU", "UA"), (_RUSSIAN,)),
    "TR": (_TURKISH,),
}
"""By country, patterns of a street with the number of a house."""


def address_detector(countries: Sequence[str] | None) -> PatternDetector:
    """Return the detector of the addresses of some countries, None for all."""
    chosen = ADDRESSES if countries is None else {each: ADDRESSES[each] for each in countries if each in ADDRESSES}
    return PatternDetector(LABEL, tuple(dict.fromkeys(source for each in chosen.values() for source in each)))
