"""Numbers by which states know people, by country: shapes here, check digits by `python-stdnum`.

A number whose check digits alone say too little (one in ten of any eleven digits has the right one) is taken only
behind a word that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from specspan.checks.detectors.checked_numbers import CheckedNumberDetector
from specspan.checks.detectors.requirements import require

LABEL = "national_id"


@dataclass(frozen=True, slots=True)
class NationalId:
    """One such number of one country."""

    country: str
    """ISO 3166-1 alpha-2."""
    module: str
    """Module of ``stdnum`` that knows its check digits."""
    shape: str
    words: str = ""
    """Words before it, as a pattern; empty where its shape and check digits say enough."""


NATIONAL_IDS: Sequence[NationalId] = (
    NationalId("AR", "ar.dni", r"\b\d{2}\.\d{3}\.\d{3}\b", r"dni|documento"),
    NationalId("AU", "au.tfn", r"\b\d{3} ?\d{3} ?\d{2,3}\b", r"tfn|tax file"),
    NationalId("BE", "be.nn", r"\b\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}\b"),
    NationalId("BE", "be.nn", r"\b\d{11}\b", r"rijksregister\w{0,12}|registre national|niss|insz"),
    NationalId("BG", "bg.egn", r"\b\d{10}\b", r"егн|egn"),
    NationalId("BR", "br.cpf", r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b"),
    NationalId("BR", "br.cpf", r"\b\d{11}\b", r"cpf"),
    NationalId("CA", "ca.sin", r"\b\d{3}[ -]?\d{3}[ -]?\d{3}\b", r"sin|social insurance|assurance sociale|nas"),
    NationalId("CH", "ch.ssn", r"\b756\.\d{4}\.\d{4}\.\d{2}\b"),
    NationalId("CL", "cl.rut", r"\b\d{1,2}\.\d{3}\.\d{3}-[\dkK]\b"),
    NationalId("CN", "cn.ric", r"\b\d{17}[\dXx]\b"),
    NationalId("CZ", "cz.rc", r"\b\d{6}/\d{3,4}\b"),
    NationalId("DE", "de.idnr", r"\b\d{2} \d{3} \d{3} \d{3}\b"),
    NationalId("DE", "de.idnr", r"\b\d{11}\b", r"idnr|steuer\w{0,24}|identifikationsnummer"),
    NationalId("DK", "dk.cpr", r"\b\d{6}-?\d{4}\b", r"cpr\w{0,12}|personnummer"),
    NationalId("EE", "ee.ik", r"\b\d{11}\b", r"isikukood\w{0,6}"),
    NationalId("ES", "es.dni", r"\b\d{8}-?[A-Z]\b"),
    NationalId("ES", "es.nie", r"\b[XYZ]-?\d{7}-?[A-Z]\b"),
    NationalId("FI", "fi.hetu", r"\b\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]\b"),
    NationalId("FR", "fr.nir", r"\b[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}\b"),
    NationalId("GB", "gb.nhs", r"\b\d{3}[ -]?\d{3}[ -]?\d{4}\b", r"nhs"),
    NationalId("GB", "", r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]\b"),
    NationalId("GR", "gr.amka", r"\b\d{11}\b", r"αμκα|amka"),
    NationalId("HR", "hr.oib", r"\b\d{11}\b", r"oib"),
    NationalId("IE", "ie.pps", r"\b\d{7}[A-W][A-IW]?\b"),
    NationalId("IL", "il.idnr", r"\b\d{9}\b", r"ת\.?ז|תעודת זהות|teudat zehut"),
    NationalId("IN", "in_.aadhaar", r"\b\d{4} \d{4} \d{4}\b"),
    NationalId("IN", "in_.aadhaar", r"\b\d{12}\b", r"aadhaar|aadhar|आधार"),
    NationalId("IN", "in_.pan", r"\b[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]\b"),
    NationalId("IT", "it.codicefiscale", r"\b[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z]\b"),
    NationalId("JP", "jp.in_", r"\b\d{4} ?\d{4} ?\d{4}\b", r"my number|マイナンバー|個人番号"),
    NationalId("KR", "kr.rrn", r"\b\d{6}-[1-8]\d{6}\b"),
    NationalId("LT", "lt.asmens", r"\b\d{11}\b", r"asmens kodas"),
    NationalId("MX", "mx.curp", r"\b[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d\b"),
    NationalId("NL", "nl.bsn", r"\b\d{9}\b", r"bsn|burgerservicenummer|sofinummer"),
    NationalId("NO", "no.fodselsnummer", r"\b\d{6} ?\d{5}\b"),
    NationalId("PL", "pl.pesel", r"\b\d{11}\b", r"pesel\w{0,6}"),
    NationalId("PT", "pt.cc", r"\b\d{8} ?\d ?[A-Z0-9]{2}\d\b"),
    NationalId("RO", "ro.cnp", r"\b[1-8]\d{12}\b"),
    NationalId("SE", "se.personnummer", r"\b\d{6}(?:\d{2})?[-+]\d{4}\b"),
    NationalId("TH", "th.pin", r"\b\d-\d{4}-\d{5}-\d{2}-\d\b"),
    NationalId("TR", "tr.tckimlik", r"\b\d{11}\b", r"t\.?c\.?|tckn|kimlik"),
    NationalId("UA", "ua.rntrc", r"\b\d{10}\b", r"рнокпп|ідентифікаційний|інн"),
    NationalId("US", "us.ssn", r"\b\d{3}-\d{2}-\d{4}\b"),
    NationalId("US", "us.ssn", r"\b\d{9}\b", r"ssn|social security"),
    NationalId("US", "us.itin", r"\b9\d{2}-\d{2}-\d{4}\b"),
    NationalId("ZA", "za.idnr", r"\b\d{13}\b"),
)


def national_id_detectors(countries: Sequence[str] | None) -> list[CheckedNumberDetector]:
    """Return the detectors of the numbers of some countries, None for all.

    Raises:
        CheckConfigError: ``python-stdnum`` is not installed.
    """
    return [
        CheckedNumberDetector(LABEL, each.shape, _validator(each), each.words)
        for each in NATIONAL_IDS
        if countries is None or each.country in countries
    ]


def id_countries() -> frozenset[str]:
    """Return the countries whose numbers are known."""
    return frozenset(each.country for each in NATIONAL_IDS)


def _validator(national_id: NationalId) -> Callable[[str], bool]:
    if not national_id.module:
        return _is_any
    module = require(f"stdnum.{national_id.module}", "python-stdnum", "`pii`")
    return partial(_is_valid, module.is_valid)


def _is_valid(validate: Callable[[str], object], number: str) -> bool:
    return bool(validate(number))


def _is_any(_: str) -> bool:
    """Take every number: this country's has no check digits."""
    return True
