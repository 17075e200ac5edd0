"""What is doubtful about a data set, without torch: labels that are probably wrong, and images that are there twice.

`confident` finds suspected labels in out-of-sample probabilities, `likeness` says how alike images are, `duplicates`
searches a whole data set for such pairs, `stored` keeps them, and `cleaned` gives an accuracy without some of the
images.
"""
