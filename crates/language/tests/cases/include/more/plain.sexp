; terms
(+ x (* 2 y))
z
