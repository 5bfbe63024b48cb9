"""3D poses learnt from several views without 3D labels: the views' geometry, labels, network and training.

References
----------
Kocabas, Karagoz, Akbas: Self-Supervised Learning of 3D Human Pose using Multi-view Geometry, CVPR 2019.
"""
