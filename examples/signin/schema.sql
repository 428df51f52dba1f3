-- Notes that belong to users. Row security decides who sees which, and not the program.
create table notes (
  id bigint generated always as identity primary key,
  user_id uuid not null default auth.uid() references auth.users (id) on delete cascade,
  body text not null check (char_length(body) between 1 and 500),
  created_at timestamptz not null default now()
);
create index on notes (user_id);

alter table notes enable row level security;
create policy "own notes" on notes for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

-- Nobody but users, and they do no more than the program needs: user_id is what the database says.
revoke all on notes from anon, authenticated;
grant select, delete, insert (body) on notes to authenticated;
