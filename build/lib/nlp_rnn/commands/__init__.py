"""Commands of nlp-rnn, a module each: its arguments, and the function that does its work."""
