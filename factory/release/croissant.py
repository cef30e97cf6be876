"""The croissant.json of a release: its description in Croissant 1.1, for readers that know no card.

Guarantees: plain JSON-LD with relative paths, so the folder can be read wherever it stands; every Parquet
file is there with its size and sha256, every config with its columns, types, keys and splits; where it comes
from is said in PROV-O. The same manifest gives the same bytes. Left out: `datePublished`, `creator` and
`url`, which a release does not know: it holds no clock, and whoever publishes it adds them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from factory import configs
from factory.records import HUMAN
from factory.release import front_matter
from factory.release.licence_terms import LICENCES

CONFORMS_TO: Final = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
HUB: Final = "https://huggingface.co/datasets/"

_OWN: Final = (
    "arrayShape",
    "citeAs",
    "column",
    "containedIn",
    "equivalentProperty",
    "extract",
    "field",
    "fileProperty",
    "fileObject",
    "fileSet",
    "format",
    "includes",
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "separator",
    "source",
    "subField",
    "transform",
)

CONTEXT: Final[Mapping[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: f"cr:{name}" for name in _OWN},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "prov": "http://www.w3.org/ns/prov#",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "sc": "https://schema.org/",
}
"""The context that the specification of 1.1 recommends, with PROV-O."""

_TYPES: Final[Mapping[str, str]] = {
    "string": "sc:Text",
    "bool": "sc:Boolean",
    "int32": "cr:Int32",
    "int64": "cr:Int64",
    "double": "cr:Float64",
}
_SPLITS: Final[Mapping[str, str]] = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}
_STRUCTS: Final = re.compile(r"list<\w+: struct<(.*)>>")


def make(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The description as plain JSON-LD."""
    name, version = manifest["name"], manifest["version"]
    shown = front_matter.shown_configs(manifest)
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS_TO),
        "name": name,
        "version": version,
        "description": manifest["recipe"].get("description") or f"{name} {version}: reasoning traces.",
        "citeAs": f"{name} {version}, release id {manifest['release_id']}",
        "identifier": manifest["release_id"],
        **_license(manifest["licences"]["license"]),
        **({"inLanguage": list(found)} if (found := manifest["recipe"]["release"].get("language")) else {}),
        "isLiveDataset": False,
        "keywords": front_matter.tags(manifest),
        **_provenance(manifest),
        "distribution": [_file(file) for file in manifest["files"]] + [_files(one) for one in shown],
        "recordSet": [_splits(manifest)] + [_records(manifest, config) for config in shown],
    }


def _license(license: str | None) -> dict[str, str]:
    if license is None:
        return {}
    return {"license": LICENCES[license].url if license in LICENCES else license}


def _provenance(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """From what, by what and by whom; every model is named, and people are those of the source."""
    generators = [
        (name, one) for name, one in manifest["lock"]["generators"].items() if one["engine"] != HUMAN
    ]
    people, synthetic = bool(front_matter.by_people(manifest)), manifest["synthetic"]
    told = "Language models answered the problems; programs judged and selected answers."
    solutions = "Worked solutions by people came with the problems; programs judged and selected them."
    derived: list[dict[str, str]] = [
        {"@id": HUB + name} for name in front_matter.sources(manifest["recipe"])
    ] + [
        {"@type": "prov:Entity", "prov:label": one["name"]}
        for one in manifest["licences"]["inputs"]
        if one["role"] == "source"
    ]
    return {
        "prov:wasDerivedFrom": derived,
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": f"recipe {manifest['name']} {manifest['version']}, "
            f"sha256 {manifest['recipe_digest']}",
        },
        "prov:wasAttributedTo": [
            {"@type": "prov:SoftwareAgent", "prov:label": f"{name}: {one['model'] or one['engine']}"}
            for name, one in generators
        ],
        "rai:dataCollectionType": [
            *(["Secondary Data Analysis"] if people else []),
            *(["Synthetic"] if synthetic else []),
        ],
        "rai:hasSyntheticData": synthetic,
        "rai:dataCollection": " ".join(([solutions] if people else []) + ([told] if synthetic else [])),
        "rai:machineAnnotationTools": [one["verifier"] for one in manifest["lock"]["verifiers"]],
    }


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file["path"],
        "name": file["path"],
        "contentUrl": file["path"],
        "contentSize": f"{file['bytes']} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file["sha256"],
    }


def _files(config: str) -> dict[str, Any]:
    """The files of a config. A set within its files would be read as a set of archives."""
    return {
        "@type": "cr:FileSet",
        "@id": f"files-{config}",
        "name": f"files-{config}",
        "encodingFormat": "application/x-parquet",
        "includes": f"data/{config}/*.parquet",
    }


def _splits(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The splits by name, with what is known of their use."""
    names = sorted({split for one in manifest["configs"].values() for split in one["splits"]})
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {"@type": "cr:Field", "@id": "splits/name", "name": "name", "dataType": "sc:Text"},
            {"@type": "cr:Field", "@id": "splits/url", "name": "url", "dataType": ["sc:URL", "cr:Split"]},
        ],
        "data": [{"splits/name": name, "splits/url": _SPLITS.get(name)} for name in names],
    }


def _records(manifest: Mapping[str, Any], config: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": config,
        "name": config,
        "description": configs.MEANINGS[config],
        "key": [{"@id": f"{config}/{name}"} for name in configs.KEYS[config]],
        "field": [_split(config), *(_field(config, one) for one in manifest["configs"][config]["schema"])],
    }


def _split(config: str) -> dict[str, Any]:
    """The split of a row, which the name of its file tells; `problems` has a column `split` besides."""
    return {
        "@type": "cr:Field",
        "@id": f"{config}/in_split",
        "name": "in_split",
        "description": "the split that the row is in",
        "dataType": "sc:Text",
        "references": {"field": {"@id": "splits/name"}},
        "source": {
            "fileSet": {"@id": f"files-{config}"},
            "extract": {"fileProperty": "fullpath"},
            # mlcroissant transforms what is joined twice; the second time there is no folder.
            "transform": {"regex": f"^(?:data/{config}/)?(\\w+)"},
        },
    }


def _field(config: str, column: Mapping[str, Any]) -> dict[str, Any]:
    """A column; a list of messages is an array with a field for each key of a message."""
    place = f"{config}/{column['name']}"
    head = {"@type": "cr:Field", "@id": place, "name": column["name"], "description": column["description"]}
    source = {"fileSet": {"@id": f"files-{config}"}, "extract": {"column": column["name"]}}
    matched = _STRUCTS.fullmatch(column["type"])
    if matched is None:
        return {**head, "dataType": _TYPES[column["type"]], "source": source}
    inner = [one.split(": ") for one in matched[1].split(", ")]
    return {
        **head,
        "isArray": True,
        "arrayShape": "-1",
        "subField": [
            {
                "@type": "cr:Field",
                "@id": f"{place}/{name}",
                "name": name,
                "dataType": _TYPES[kind],
                "source": {**source, "transform": {"jsonPath": name}},
            }
            for name, kind in inner
        ],
    }
