"""Crops for training and scoring out of data sets that their makers alone hand out: Human3.6M, MPI-INF-3DHP, MPII.

`crops` has the box around a body and cuts it out, with labels; `writer` makes the folder, in parts and processes.
`h36m`, `mpi_inf_3dhp` and `mpii` say what of each data set is cut. The folder is laid out as Open4V's, so that
`posebench.datasets.views` reads it.
"""

from posebench.datasets.prepared.crops import People, Take
from posebench.datasets.prepared.writer import Prepared, prepare

__all__ = ["People", "Prepared", "Take", "prepare"]
