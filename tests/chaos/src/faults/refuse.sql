-- Lets three of ten statements that insert or update orders fail with SQLSTATE 40001, until the trigger is dropped.
CREATE OR REPLACE FUNCTION public.chaos_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF random() < 0.3 THEN
    RAISE EXCEPTION 'a conflict on purpose' USING ERRCODE = '40001';
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER chaos_refuse AFTER INSERT OR UPDATE ON chaos.orders
FOR EACH STATEMENT EXECUTE FUNCTION public.chaos_refuse();
