"""Attributes of texts: numbers that a rule reads off a response, and bins of them."""

from core.labs.attributes import extractors
from core.labs.attributes.binning import NO_BIN, Binning, bin_by_edges, bin_by_quantiles
from core.labs.attributes.concepts import concept_attribute
from core.labs.attributes.registry import (
    Attribute,
    attribute,
    attribute_table,
    attributes,
    extraction_problems,
    register_attribute,
    unregister_attribute,
)

__all__ = [
    "NO_BIN",
    "Attribute",
    "Binning",
    "attribute",
    "attribute_table",
    "attributes",
    "bin_by_edges",
    "bin_by_quantiles",
    "concept_attribute",
    "extraction_problems",
    "register_attribute",
    "unregister_attribute",
]

for _attribute in extractors.ATTRIBUTES:
    register_attribute(_attribute)
