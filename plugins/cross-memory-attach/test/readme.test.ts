import { readmeExamples } from '../../../scripts/readme-examples.ts';

readmeExamples(import.meta.url);
