"""What is said of names: zones, questions, answers. Pure; bytes in, bytes out.

The hot path reads a question and joins an answer from bytes made beforehand. What is seldom
(signatures, transfers, updates) is dnspython's.
"""
