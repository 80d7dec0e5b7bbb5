-- What the image of an instance meant when it was pulled, in its runtime's own words.
CREATE TABLE kept_images (
  service TEXT NOT NULL,
  component TEXT NOT NULL,
  generation INTEGER NOT NULL,
  reference TEXT NOT NULL,
  image TEXT NOT NULL,
  PRIMARY KEY (service, component, generation)
);
