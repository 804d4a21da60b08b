-- When a person consented, and until when the refresh token lives: a copy of what lies beside the token,
-- so that `seatledger status` can show it to those who may not read the token's folder. One row at most.
-- New table: locks nothing in use.

create table consent (
    only_row boolean not null default true,
    signed_in_at timestamptz,
    first_used_at timestamptz not null,
    token_issued_at timestamptz not null,
    token_expires_at timestamptz not null,
    constraint consent_pkey primary key (only_row),
    constraint consent_only_row_check check (only_row)
);

comment on table consent is 'The consent of the person who signed in last, as the last run or sign-in knew it. One row at most; none unless auth.method is refresh_token.';
comment on column consent.only_row is 'Always true: keeps the table to one row.';
comment on column consent.signed_in_at is 'When the person signed in with seatledger login; null where the token was brought from elsewhere.';
comment on column consent.first_used_at is 'When a token of this consent was first used here.';
comment on column consent.token_issued_at is 'When the present refresh token was issued; it is renewed at every use.';
comment on column consent.token_expires_at is 'Until when the present refresh token lives unless it is renewed or revoked before.';
