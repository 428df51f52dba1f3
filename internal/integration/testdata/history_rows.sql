insert into public.orgs (name, kind) values ('Acme','a'),('Globex','bcd'),('Initech',null);
insert into public.people (org_id, boss_id, name, nick, mood, age, score, weight, salary, factor, born, wakes, seen, met, lasts, props, data, nums, words, raw, uid, span, active) values
 (1,null,'Ann','annie','happy',30,1.5,70.25,1000.50,1.50,'1990-05-17','06:30','2020-01-02 03:04:05','2020-01-02 03:04:05+02','1 day 02:00:00','{"a": 1,  "b":[1,2]}','{"b":{"c":[10,20,30]},"a":"x","n":1.50}','{1,2,3}','{"a b",c,NULL}','\x00ff','11111111-2222-4333-8444-555555555555','[1,5)',true),
 (1,1,'Bob',null,'sad',null,null,null,null,null,null,null,null,null,null,null,null,'{}',null,null,null,null,true),
 (2,1,'Cyd','cy','ok',45,-0.1,1e20,9999999999.99,1e-10,'1975-12-31','23:59:59.5','1999-12-31 23:59:59.999999','1999-12-31 23:59:59.999+00','-1 mon','[1]','[1,"two",null]','{3,4}','{}','\x','22222222-2222-4333-8444-555555555555','empty',false),
 (null,2,'Dan','d,"q"','ok',0,3.14159,0.1,0,-7,'2000-02-29','00:00','2000-02-29 12:00','2000-02-29 12:00+00','3 years 2 mons','"s"','"s"','{7}','{x,y}','\xdeadbeef',null,'(,7]',true);
insert into public.tasks (org_id, no, title, owner_id, reviewer_id, done) values (1,1,'one',1,2,false),(1,2,'two',1,null,true),(2,1,'three',3,1,false);
insert into public.tags values (1,'red',null),(2,'green',1),(3,'blue',2);
insert into public.task_tags values (1,1,1),(1,1,2),(2,1,3);
insert into public.passports values (1,'A1'),(3,'C3');
insert into public.secrets (owner, title, public) values ('11111111-2222-4333-8444-555555555555','mine',false),('22222222-2222-4333-8444-555555555555','yours',false),('22222222-2222-4333-8444-555555555555','all',true);
insert into public.loose values (1,'x'),(null,'y'),(3,'x');
