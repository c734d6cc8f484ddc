"""How far a reconstruction is, in plain words."""

from utils.web.jobs import Job

# name of a stage -> what the page says while it runs, in the order of the stages
STEPS = {
    "read": "Reading the image",
    "mask": "Cutting the object out of the image",
    "camera": "Estimating where the image was taken from",
    "image": "Looking at the object",
    "iso": "Deciding where its surface is",
    "mesh": "Building the surface",
    "simplify": "Simplifying the surface",
    "check": "Comparing it with the image",
    "colours": "Taking the colours of the image",
    "texture": "Painting the model",
    "views": "Drawing it from all sides",
}


def progress(job: Job) -> str:
    """HTML with the step of a job, or with the number of jobs before it.

    It changes only with them: a screen reader reads every change.
    """
    before = job.before()
    if before:
        return f"Waiting: {before} {'image is' if before == 1 else 'images are'} reconstructed before yours."
    begun = [name for name in job.stages if name in STEPS]
    if not begun:
        return "Starting …"
    names = list(STEPS)
    number = names.index(begun[-1]) + 1
    bar = f"<progress max='{len(names)}' value='{number - 0.5}' aria-label='Progress'></progress>"
    return f"<p>Step {number} of {len(names)}: {STEPS[begun[-1]]} …</p>{bar}"
