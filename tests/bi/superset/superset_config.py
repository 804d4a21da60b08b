# A Superset for one test: everything in one folder, no network, no background work.
import os

SECRET_KEY = "only for this test, on this machine"
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_HOME']}/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
