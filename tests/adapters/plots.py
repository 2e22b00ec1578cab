"""One invented department, 承包地台账: plots of land by owner, crops below; for each adapter."""

from __future__ import annotations

from adapters.identity import with_check_digit
from catalog.datasets import FieldType
from catalog.grades import Mask

OWNER = with_check_digit("53992219800101001")
OTHER = with_check_digit("53992219800101002")
WORDS = """
[source]
name = "fields"
title = "承包地台账"
department = "rev"
kind = "sql"
code_scheme = "NBS_STAT"

[[dataset]]
name = "plot"
type = "Plot"
title = "承包地"
description = "承包地及其种植"
object = "Citizen.monitoring"
legal_basis = "MEASURES_ART_4"
update_cycle = "YEARLY"
table = "plots"
person_name = "owner_name"
order = ["plot_no"]
sharing = { kind = "CONDITIONAL", condition = "按岗位", basis = "MEASURES_ART_11" }
key = { kind = "identity", columns = ["owner"], formats = ["id18", "lower_x"] }
region = { kind = "citizen" }
facet = { container = "plots", field = "plots", many = true }
[[dataset.nest]]
name = "crops"
dataset = "crop"
parent = "plot_no"
child = "plot_no"
title = "种植"
[[dataset.field]]
name = "plotNo"
column = "plot_no"
title = "地块编号"
type = "string"
sensitivity = "L3_PERSONAL"
mask = "HIDE"

[[dataset]]
name = "crop"
type = "Crop"
title = "种植"
description = "地块上的种植"
object = "Citizen.monitoring"
legal_basis = "MEASURES_ART_4"
update_cycle = "YEARLY"
table = "crops"
clean = true
order = ["-sown_on"]
sharing = { kind = "CONDITIONAL", condition = "按岗位", basis = "MEASURES_ART_11" }
key = { kind = "column", columns = ["plot_no"] }
region = { kind = "citizen" }
[[dataset.field]]
name = "kind"
title = "作物"
type = "string"
sensitivity = "L2_INTERNAL"
[[dataset.field]]
name = "sownOn"
column = "sown_on"
title = "播种日期"
type = "date"
sensitivity = "L2_INTERNAL"
"""


def unmasked(_mask: Mask, value: object, _kind: FieldType) -> object:
    """Nothing of it is masked but kept."""
    raise AssertionError("nothing here is masked but kept")
