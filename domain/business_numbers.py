"""Numbers of Czech and Slovak registers: IČO of companies and DIČ of payers of value added tax.

A wrong check digit is told as a warning, never refused: registers hold exceptions, and companies of other countries
have numbers of other forms.
"""

from __future__ import annotations

import re

import msgspec

_REGISTRATION_NUMBER = re.compile(r"\d{1,8}", re.ASCII)


class Warning(msgspec.Struct, frozen=True):  # noqa: A001 (a field's own word)
    """Something that looks wrong but is no reason to refuse.

    Attributes
    ----------
    field : str
        Field it speaks of.
    code : str
        Stable name of the rule.
    message : str
        What looks wrong and what was expected.
    """

    field: str
    code: str
    message: str


def registration_number_is_valid(number: str) -> bool:
    """Tell whether the check digit of an IČO is right.

    The digits but the last are weighted 8 to 2; the last is ``(11 - sum % 11) % 10`` (Český statistický úřad).

    Examples
    --------
    >>> registration_number_is_valid("69438676"), registration_number_is_valid("12345678")
    (True, False)
    """
    if not _REGISTRATION_NUMBER.fullmatch(number):
        return False
    digits = [int(digit) for digit in number.zfill(8)]
    total = sum(digit * weight for digit, weight in zip(digits[:7], range(8, 1, -1), strict=True))
    return any(digits) and digits[7] == (11 - total % 11) % 10


def registration_number_warning(number: str) -> Warning | None:
    """Return what looks wrong with an IČO, None if nothing does."""
    if registration_number_is_valid(number):
        return None
    if not _REGISTRATION_NUMBER.fullmatch(number):
        message = f"The registration number “{number}” has not the 8 digits of an IČO."
        return Warning("registration_number", "registration_number_form", message)
    message = f"The check digit of the registration number {number} is wrong: a digit is mistyped or two are swapped."
    return Warning("registration_number", "registration_number_check_digit", message)


def vat_number_warning(number: str) -> Warning | None:
    """Return what looks wrong with a DIČ, None if nothing does.

    Examples
    --------
    >>> vat_number_warning("CZ69438676")
    >>> vat_number_warning("69438676").code
    'vat_number_form'
    """
    compact = number.replace(" ", "").upper()
    expected = next((entry for entry in _VAT_FORMS if compact.startswith(entry[0])), _OTHER_VAT)
    _, form, text, is_valid = expected
    if not form.fullmatch(compact):
        return Warning("vat_number", "vat_number_form", f"The VAT number “{number}” has not the form {text}.")
    if not is_valid(compact[2:]):
        message = f"The check digit of the VAT number {number} is wrong: a digit is mistyped or two are swapped."
        return Warning("vat_number", "vat_number_check_digit", message)
    return None


def _czech(digits: str) -> bool:
    # Nine and ten digits are birth numbers of natural persons, which have rules of their own.
    return len(digits) != 8 or registration_number_is_valid(digits)


def _slovak(digits: str) -> bool:
    return int(digits) % 11 == 0


def _any(digits: str) -> bool:
    return True


_VAT_FORMS = (
    ("CZ", re.compile(r"CZ\d{8,10}", re.ASCII), "CZ and 8 to 10 digits", _czech),
    ("SK", re.compile(r"SK\d{10}", re.ASCII), "SK and 10 digits", _slovak),
)
_OTHER_VAT = ("", re.compile(r"[A-Z]{2}[A-Z0-9+*]{2,13}"), "of a country and a number, as in CZ12345678", _any)
