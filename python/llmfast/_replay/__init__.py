"""Streams a request log through the way of a request with a simulated model, and says what it would have saved.

log, traffic      where requests come from: a file, standard input, or the bundled questions
turns, times      what a logged body says: its API, its texts, where its answer begins, when it was made
clock             the time that passes: that of the log
remarks           what has to be known of the requests beside the figures
model             the simulated model: what it answers, how long it would take, how many tokens
run               feeds the requests to an Engine, one after the other, and records what became of each
neighbours        which texts lie near which, from the vectors that the run recorded
policy            what the cache would have done at another threshold, from the neighbours alone
statistics        shares, Wilson intervals, percentiles
report            all of it as one JSON document
text, page, charts    the document for a terminal and as a self-contained HTML page
"""
