-- Definitions were service files; they become the JSON of RevisionCodec. The step itself is DefinitionBodies.
SELECT 1;
