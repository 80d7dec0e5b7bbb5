-- The release in which the instance was made; 0: it was before this was written down.
ALTER TABLE kept_images ADD COLUMN release INTEGER NOT NULL DEFAULT 0;

-- Images that mcp itself brought to this node, and when something of its needed each last.
CREATE TABLE images (
  kind TEXT NOT NULL,
  image TEXT NOT NULL,
  reference TEXT NOT NULL,
  used_at TEXT NOT NULL,
  PRIMARY KEY (kind, image, reference)
);

-- Pulls that have begun and not ended: what the reference meant before, which images there were, and the one that serves if it is there.
CREATE TABLE pulls (
  kind TEXT NOT NULL,
  reference TEXT NOT NULL,
  meant TEXT NOT NULL,
  there TEXT NOT NULL,
  kept TEXT NOT NULL,
  PRIMARY KEY (kind, reference)
);
