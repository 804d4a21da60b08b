-- The transactions of runs that had lost the lease when they wrote or committed.
select concat_ws(
    ' ', 'run', w.run_id, 'began at epoch', b.epoch, 'and wrote at', w.epoch, 'until', w.end_epoch
)
from model.write as w
inner join model.write as b on b.run_id = w.run_id and b.is_beginning
where w.epoch <> b.epoch
    or w.end_epoch <> b.epoch
order by w.at
