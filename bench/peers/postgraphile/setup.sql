-- What PostGraphile needs in the run's database: a role, row-level security, masks as computed
-- columns. The township comes with each request, as a claim of its token would.

GRANT USAGE ON SCHEMA public TO hub_bench_town;
GRANT SELECT ON citizen, case_file, case_event, supervision_order, division TO hub_bench_town;

DO $$
DECLARE guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['citizen', 'case_file', 'case_event', 'supervision_order'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format(
      'CREATE POLICY town ON %I FOR SELECT TO hub_bench_town USING ('
      'region_path >= current_setting(''bench.town'') AND '
      'region_path < current_setting(''bench.next''))', guarded);
  END LOOP;
END $$;

-- Case and division are joined by a path, not by a key that PostgreSQL knows.
COMMENT ON TABLE case_file IS
  E'@foreignKey (region_path) references division (path)|@fieldName division';
COMMENT ON COLUMN citizen.phone IS E'@behavior -*';
COMMENT ON COLUMN citizen.id18 IS E'@behavior -*';
COMMENT ON COLUMN citizen.address IS E'@behavior -*';

COMMENT ON COLUMN supervision_order.issued_at IS E'@behavior +orderBy';

CREATE FUNCTION citizen_grown(c citizen) RETURNS boolean LANGUAGE sql STABLE AS
  $$ SELECT c.birth <= current_date - INTERVAL '14 years' $$;
COMMENT ON FUNCTION citizen_grown(citizen) IS E'@behavior -*';

CREATE FUNCTION citizen_shown_name(c citizen) RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT left(c.name, 1) || '*' $$;

CREATE FUNCTION citizen_shown_phone(c citizen) RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT CASE WHEN citizen_grown(c) THEN
       CASE WHEN length(c.phone) >= 8 THEN '****' || right(c.phone, 4)
            WHEN c.phone IS NOT NULL THEN '****' END END $$;

CREATE FUNCTION citizen_shown_address(c citizen) RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT CASE WHEN citizen_grown(c) AND c.address IS NOT NULL THEN
       (SELECT name FROM division WHERE path = c.region_path) END $$;

CREATE FUNCTION citizen_shown_id_number(c citizen) RETURNS text LANGUAGE sql STABLE AS
  $$ SELECT NULL::text $$;

CREATE TYPE case_stat AS (month text, division text, state text, count integer);
CREATE FUNCTION case_stats() RETURNS SETOF case_stat LANGUAGE sql STABLE AS $$
  SELECT to_char(timezone('Asia/Shanghai', t.month), 'YYYY-MM'), t.town || '000', t.state, t.count
    FROM (SELECT date_trunc('month', filed_at, 'Asia/Shanghai') AS month,
                 left(region_path, 9) AS town, state, count(*)::integer AS count
            FROM case_file GROUP BY 1, 2, 3) t
   ORDER BY 1, 2, 3 $$;
