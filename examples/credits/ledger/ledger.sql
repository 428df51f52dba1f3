-- The credits app: what each user has, and the only ways in which that changes. One credit is one
-- cent. Run this once in a project, in its SQL editor say, as the owner of the database.
--
-- The truth are the entries, which are added and never changed. The credits of an account are their
-- sum, kept where a lock and a check can hold them. Users read what is theirs and write nothing:
-- all that changes something is a function, and each of these knows by itself who calls it.

create table accounts (
  user_id uuid primary key references auth.users (id) on delete cascade,
  credits bigint not null default 0 check (credits >= 0),
  created_at timestamptz not null default now()
);

-- Each entry has a reference that is its user's once: free credits are given once, a purchase is
-- credited once, and a job is charged once, however often it is asked for.
create table entries (
  id bigint generated always as identity primary key,
  user_id uuid not null references auth.users (id) on delete cascade,
  amount bigint not null check (amount <> 0),
  balance bigint not null check (balance >= 0), -- after it
  reference text not null,
  note text not null check (char_length(note) <= 200),
  created_at timestamptz not null default now(),
  unique (user_id, reference)
);
create index on entries (user_id, id desc);

create table packs (
  id text primary key,
  title text not null,
  credits bigint not null check (credits > 0),
  price bigint not null check (price > 0) -- cents
);
insert into packs (id, title, credits, price) values
  ('small', 'Small', 200, 200),
  ('medium', 'Medium', 550, 500),
  ('large', 'Large', 1200, 1000);

create table purchases (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  pack text not null references packs (id),
  credits bigint not null check (credits > 0),
  price bigint not null check (price > 0),
  created_at timestamptz not null default now(),
  paid_at timestamptz
);
create index on purchases (user_id, created_at);

alter table accounts enable row level security;
alter table entries enable row level security;
alter table packs enable row level security;
alter table purchases enable row level security;
create policy "own account" on accounts for select to authenticated using (user_id = (select auth.uid()));
create policy "own entries" on entries for select to authenticated using (user_id = (select auth.uid()));
create policy "own purchases" on purchases for select to authenticated using (user_id = (select auth.uid()));
create policy "everybody sees packs" on packs for select to anon, authenticated using (true);

-- A project gives new tables to everybody; here that is taken back, from the secret key too.
revoke all on accounts, entries, packs, purchases from anon, authenticated, service_role;
grant select on accounts, entries, purchases to authenticated, service_role;
grant select on packs to anon, authenticated, service_role;

-- make_account makes the row of a user, or one that was deleted: with the sum of what there was.
create function make_account(owner uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
  insert into public.accounts (user_id) values (owner) on conflict do nothing;
  if found then
    update public.accounts a
      set credits = (select coalesce(sum(e.amount), 0) from public.entries e where e.user_id = owner)
      where a.user_id = owner;
  end if;
end $$;

-- add_entry is how credits change. It gives the balance, and whether the entry is new: one with the
-- same reference changes nothing. The lock lets the changes of an account wait for each other.
create function add_entry(owner uuid, amount bigint, reference text, note text)
returns table (balance bigint, added boolean)
language plpgsql security definer set search_path = '' as $$
declare
  has bigint;
begin
  select a.credits into has from public.accounts a where a.user_id = add_entry.owner for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'there is no account';
  end if;
  if exists (select from public.entries e where e.user_id = add_entry.owner and e.reference = add_entry.reference) then
    return query select has, false;
    return;
  end if;
  if has + add_entry.amount < 0 then
    raise exception using errcode = 'PT402', message = 'not enough credits',
      detail = format('%s credits, %s needed', has, -add_entry.amount);
  end if;
  insert into public.entries (user_id, amount, balance, reference, note)
    values (add_entry.owner, add_entry.amount, has + add_entry.amount, add_entry.reference, add_entry.note);
  update public.accounts a set credits = has + add_entry.amount where a.user_id = add_entry.owner;
  return query select has + add_entry.amount, true;
end $$;

-- caller is the signed-in user who calls a function.
create function caller() returns uuid
language plpgsql stable security definer set search_path = '' as $$
begin
  if auth.uid() is null then
    raise exception using errcode = 'PT401', message = 'sign in first';
  end if;
  return auth.uid();
end $$;

-- open_account gives the caller's account, and makes it at the first sign-in: with free credits,
-- once for each user, also when two sign in at the same time or the row has been deleted since.
create function open_account() returns accounts
language plpgsql security definer set search_path = '' as $$
declare
  me uuid := public.caller();
  account public.accounts;
begin
  perform public.make_account(me);
  perform public.add_entry(me, 100, 'welcome', 'Free credits to begin with');
  select a.* into strict account from public.accounts a where a.user_id = me;
  return account;
end $$;

-- spend_credits takes credits of the caller, all that are asked for or none (PT402). The same request
-- is charged once.
create function spend_credits(amount bigint, note text, request uuid)
returns table (balance bigint, charged boolean)
language plpgsql security definer set search_path = '' as $$
begin
  if spend_credits.amount is null or spend_credits.amount not between 1 and 1000000
    or spend_credits.note is null or spend_credits.request is null then
    raise exception using errcode = 'PT400', message = 'spend 1 to 1000000 credits, with a note and a request';
  end if;
  return query select e.balance, e.added
    from public.add_entry(public.caller(), -spend_credits.amount, 'spend:' || spend_credits.request, spend_credits.note) e;
end $$;

-- start_purchase notes what the caller is about to buy. What it costs is what the pack says.
create function start_purchase(pack text) returns purchases
language plpgsql security definer set search_path = '' as $$
declare
  me uuid := public.caller();
  purchase public.purchases;
begin
  if (select count(*) from public.purchases p
      where p.user_id = me and p.paid_at is null and p.created_at > now() - interval '1 hour') >= 20 then
    raise exception using errcode = 'PT429', message = 'too many purchases that were not paid';
  end if;
  insert into public.purchases (user_id, pack, credits, price)
    select me, k.id, k.credits, k.price from public.packs k where k.id = start_purchase.pack
    returning * into purchase;
  if not found then
    raise exception using errcode = 'PT404', message = 'there is no such pack';
  end if;
  return purchase;
end $$;

-- complete_purchase credits a purchase that was paid, once, however often it is told of it. It is for
-- the program that hears from the payment provider, which has the secret key.
create function complete_purchase(purchase uuid, paid bigint)
returns table (balance bigint, credited boolean)
language plpgsql security definer set search_path = '' as $$
declare
  bought public.purchases;
begin
  select p.* into bought from public.purchases p where p.id = complete_purchase.purchase for update;
  if not found then
    raise exception using errcode = 'PT404', message = 'there is no such purchase';
  end if;
  if complete_purchase.paid is distinct from bought.price then
    raise exception using errcode = 'PT422', message = 'this is not what the purchase costs';
  end if;
  perform public.make_account(bought.user_id);
  update public.purchases p set paid_at = now() where p.id = bought.id and p.paid_at is null;
  return query select e.balance, e.added
    from public.add_entry(bought.user_id, bought.credits, 'purchase:' || bought.id, bought.credits || ' credits bought') e;
end $$;

revoke all on function
  make_account(uuid), add_entry(uuid, bigint, text, text), caller(), open_account(),
  spend_credits(bigint, text, uuid), start_purchase(text), complete_purchase(uuid, bigint)
from public, anon, authenticated, service_role;
grant execute on function open_account(), spend_credits(bigint, text, uuid), start_purchase(text) to authenticated;
grant execute on function complete_purchase(uuid, bigint) to service_role;
