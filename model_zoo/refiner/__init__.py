"""The refinement unit: 3D poses in, more plausible 3D poses out (the paper's section 3.3).

    a base model's predictions - reference -> errors.py: what its errors are like
    motion capture -> normal.py: turned about the vertical, brought to one size -> + such errors -> training.py
    predictions -> network.py: to one size, through the network, back -> refined predictions

It learns from poses of motion capture, for which nobody needs pictures, and from how wrong a base model is.
`errors` and `normal` need NumPy alone; the others need torch.
"""
