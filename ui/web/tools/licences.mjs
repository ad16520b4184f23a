// Gathers the licences of what the built pages carry inside them into one text, which the landing page links to.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const CARRIED = ['svelte', 'qr', '@fontsource-variable/atkinson-hyperlegible-next', '@fontsource-variable/atkinson-hyperlegible-mono'];

const root = new URL('../', import.meta.url);
const parts = CARRIED.map((name) => {
  const folder = new URL(`node_modules/${name}/`, root);
  const { version, license } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^licen[cs]e/i.test(file));
  if (files.length === 0) throw new Error(`${name} carries no licence text`);
  const text = files.map((file) => readFileSync(new URL(file, folder), 'utf8').trim()).join('\n\n');
  return `${name} ${version} (${license})\n\n${text}\n`;
});
writeFileSync(new URL('src/landing/licences.txt', root), `These pages carry the following works inside them.\n\n${parts.join(`\n${'-'.repeat(72)}\n\n`)}`);
