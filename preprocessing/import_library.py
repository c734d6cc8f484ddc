"""Turn furniture libraries of Sweet Home 3D (.sh3f) into a folder of meshes with categories."""
import sys, pathlib, re, unicodedata, tempfile, functools
from tqdm import tqdm
from preprocessing.library.archive import Archive
from preprocessing.library.catalogue import read_catalogue
from preprocessing.library.categories import category_of
from preprocessing.library.convert import *
from utils.processes import run_in_processes
def slug(t): return re.sub(r"[^a-z0-9]+","_",unicodedata.normalize("NFKD",t).encode("ascii","ignore").decode().lower()).strip("_") or "model"
if __name__=="__main__":
    out=pathlib.Path(sys.argv[1])
    for lib in sys.argv[2:]:
        a=Archive(pathlib.Path(lib)); ps=read_catalogue(a)
        with tempfile.TemporaryDirectory() as t:
            t=pathlib.Path(t); print(a.unpack(t))
            ts=[Task(p,t,out/category_of(p.name,p.category)/f"{slug(p.id)}.glb",digest_of(p,a,Settings()),Settings()) for p in ps]
            ts=[x for x in ts if not is_done(x.out,x.digest)]
            for task,(w,r) in tqdm(run_in_processes(convert,ts,2,died=process_died,isolate=True),total=len(ts)):
                for x in w: print("W",x)
                if r: print("LEFT OUT",r)
