"""Form fields whose values go by the rules of the API's bodies."""

from typing import Any

from django import forms

from runs.contract.errors import NotJson
from runs.inputs.parsers import parse


class JsonField(forms.CharField):
    """JSON typed by hand; an empty field is None."""

    def __init__(self, rows: int = 4, **options: Any):
        attrs = {"rows": rows, "class": "mono", "spellcheck": "false"}
        given = {"required": False, "widget": forms.Textarea(attrs=attrs), **options}
        super().__init__(**given)

    def to_python(self, value: Any) -> Any:
        """Parse it as the API does, and say where it breaks."""
        text = (super().to_python(value) or "").strip()
        if not text:
            return None
        try:
            return parse(text.encode(errors="surrogatepass"))
        except NotJson as refused:
            raise forms.ValidationError(f"This is not JSON to be sent. {refused.reason}") from None


class NumberField(forms.CharField):
    """A number typed by hand; an empty field is None. Anything else is kept as a text, which the
    rules of the body refuse."""

    def __init__(self, **options: Any):
        attrs = {"inputmode": "decimal", "autocomplete": "off"}
        super().__init__(required=False, widget=forms.TextInput(attrs=attrs), **options)

    def to_python(self, value: Any) -> Any:
        """The number, if it is one."""
        text = super().to_python(value) or ""
        try:
            return parse(text.encode(errors="surrogatepass")) if text else None
        except NotJson:
            return text


class WordField(forms.ChoiceField):
    """One of a few words, or nothing: then the setting is inherited."""

    def __init__(self, words: Any, **options: Any):
        choices = [("", "Inherited"), *((word, word) for word in words)]
        super().__init__(required=False, choices=choices, **options)


class TextField(forms.CharField):
    """A text as typed; browsers send line breaks as CR LF."""

    def __init__(self, rows: int, **options: Any):
        area = forms.Textarea(attrs={"rows": rows})
        super().__init__(required=False, strip=False, widget=area, **options)

    def to_python(self, value: Any) -> str:
        """The text with the line breaks of everybody else."""
        return str(super().to_python(value) or "").replace("\r\n", "\n")
