/** Everything that keeps a version of the package from being released, each as a sentence that says what to do. */

export interface Release {
  readonly manifest: Manifest;
  readonly changelog: string;
  /** The output of `git status --porcelain`. */
  readonly status: string;
  readonly tarball: Tarball;
  /** Whether the changelog's section may have no date yet. */
  readonly mayBeUnreleased: boolean;
}

export interface Manifest {
  readonly version: string;
  readonly license?: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly [field: string]: unknown;
}

export interface Tarball {
  readonly bytes: number;
  readonly files: readonly string[];
}

const MAX_BYTES = 1_000_000;
const NEEDED_FIELDS = ['description', 'license', 'repository', 'author', 'bugs', 'homepage', 'keywords'];
const NEEDED_FILES = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'];
const BUILT = /^dist\/.*\.(?:js|d\.ts)$/;

export function problemsOf({ manifest, changelog, status, tarball, mayBeUnreleased }: Release): readonly string[] {
  return [
    ...fieldProblems(manifest),
    ...changelogProblems(manifest.version, changelog, mayBeUnreleased),
    ...(status === '' ? [] : [`the work tree is not clean: commit or remove\n${status}`]),
    ...tarballProblems(tarball, targetsOf(manifest)),
  ];
}

function fieldProblems(manifest: Manifest): readonly string[] {
  const absent = NEEDED_FIELDS.filter((field) => !manifest[field]).map((field) => `package.json has no \`${field}\`: add it`);
  if (!manifest.license || manifest.license === 'MIT') return absent;
  return [...absent, `package.json names the licence ${manifest.license}, but LICENSE is MIT: make them the same`];
}

function changelogProblems(version: string, changelog: string, mayBeUnreleased: boolean): readonly string[] {
  const [, latest, date] = /^## \[([^\]]+)\](?: - (\S+))?$/m.exec(changelog) ?? [];
  if (latest !== version)
    return [`package.json has version ${version}, but the first section of CHANGELOG.md is ${latest ?? 'absent'}: make them the same`];
  if (/^\d{4}-\d{2}-\d{2}$/.test(date ?? '') || (mayBeUnreleased && date === 'Unreleased')) return [];
  return [`the section ${version} of CHANGELOG.md has no date: write \`## [${version}] - YYYY-MM-DD\``];
}

function tarballProblems({ bytes, files }: Tarball, targets: readonly string[]): readonly string[] {
  const needed = [...NEEDED_FILES, ...targets];
  return [
    ...(bytes < MAX_BYTES ? [] : [`the tarball has ${bytes} bytes, but must have fewer than ${MAX_BYTES}: see what has come in`]),
    ...needed.filter((file) => !files.includes(file)).map((file) => `the tarball lacks ${file}: build it, or name it in \`files\``),
    ...files
      .filter((file) => !NEEDED_FILES.includes(file) && !BUILT.test(file))
      .map((file) => `the tarball holds ${file}, which no user needs: leave it out of \`files\``),
  ];
}

function targetsOf({ exports }: Manifest): readonly string[] {
  const targets = Object.values(exports).flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)));
  return targets.map((target) => target.replace('./', ''));
}
