"""Why a classifier or a tagger predicts what it does: the words on which a prediction rests."""
