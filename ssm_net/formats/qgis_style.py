"""The QGIS style of a map (QML): the colours of ``colours``, in m3 m-3, nothing where there is no value.

QGIS loads ``NAME.qml`` with ``NAME.tif`` by itself. It multiplies the counts of the file with the scale of the band
before it looks a colour up, so the steps are in m3 m-3. A map in NetCDF is several layers for QGIS, which take a style
by hand (Layer Properties, Style, Load Style). Source of the format: style files as QGIS 3 writes them (public
repositories hold many); none was loaded into QGIS here.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET

from ssm_net.formats.colours import DRIEST, WETTEST, colour_steps

STYLE_NAME = "ssm.qml"  # of a folder of NetCDF files


def encode_style() -> bytes:
    """The bytes of the style: band 1 in a linear ramp of colours, clipped at its ends; the same each time."""
    steps = colour_steps()
    ends = {"classificationMin": f"{DRIEST:g}", "classificationMax": f"{WETTEST:g}"}
    qgis = ET.Element("qgis", {"version": "3.22", "styleCategories": "Symbology"})
    pipe = ET.SubElement(qgis, "pipe")
    renderer = ET.SubElement(
        pipe,
        "rasterrenderer",
        {"type": "singlebandpseudocolor", "band": "1", "opacity": "1", "alphaBand": "-1", **ends},
    )
    ET.SubElement(renderer, "rasterTransparency")
    shader = ET.SubElement(ET.SubElement(renderer, "rastershader"), "colorrampshader", {
        "colorRampType": "INTERPOLATED", "classificationMode": "1", "clip": "0", "labelPrecision": "2",
        "minimumValue": f"{DRIEST:g}", "maximumValue": f"{WETTEST:g}",
    })  # fmt: skip
    for value, colour in steps:
        item = {"value": f"{value:g}", "color": colour, "alpha": "255", "label": f"{value:.2f} m3 m-3"}
        ET.SubElement(shader, "item", item)
    ET.SubElement(pipe, "rasterresampler", {"maxOversampling": "2"})
    ET.indent(qgis)
    document: bytes = ET.tostring(qgis, encoding="utf-8")
    return b"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + document + b"\n"
