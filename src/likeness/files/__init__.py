"""What is on disk: photos, recipes, runs, pictures. Never imports torch, not even indirectly.

errors       what the user can mend
subject      photos taken in; decoding holds how one file of any kind becomes an upright sRGB picture
recipe       what is asked
run_folder   every path and format of a run; checkpoints, lock and atomic hold how it survives `kill -9` and a full disk
picture      the one place that saves a picture; parameters holds the A1111 line written into it
"""
