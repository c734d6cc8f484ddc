"""A database whose cameras are those that a network estimates from the views."""

from tqdm import tqdm


class EstimatedCameras:
    """A data.shards.Database, but trans_mat() gives the estimated cameras of the views that were asked for when it was made."""

    def __init__(self, database, estimator, pairs):
        """estimator: models.inference.camera_estimator.CameraEstimator; pairs: [(entry, view index)]."""
        self._database = database
        self._cameras, step = {}, 256
        with tqdm(total=len(pairs), desc="estimating cameras", unit="image", mininterval=2) as bar:
            for first in range(0, len(pairs), step):
                some = pairs[first : first + step]
                cameras = estimator.cameras([database.image(entry, view) for entry, view in some])
                self._cameras |= {(entry, view): camera for (entry, view), camera in zip(some, cameras, strict=True)}
                bar.update(len(some))

    def __getattr__(self, name):
        if name.startswith("_"):  # while it is unpickled there is no database to ask yet
            raise AttributeError(name)
        return getattr(self._database, name)

    def trans_mat(self, entry, view):
        """(4, 3) estimated camera of a view: object frame to pixels."""
        return self._cameras[entry, view]
