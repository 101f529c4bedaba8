/** The objects that an overlay makes, as Kubernetes gets them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Deployment, StatefulSet } from 'kubernetes-types/apps/v1.js';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js';
import type { CronJob } from 'kubernetes-types/batch/v1.js';
import type { Container, PodTemplateSpec, Service } from 'kubernetes-types/core/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { parseAllDocuments } from 'yaml';
import { PROJECT } from '../command-lines.js';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly spec?: object;
}

export type Labels = Readonly<Record<string, string>>;

/** Kubernetes' own implementation of overlays. */
export const hasKustomize = spawnSync('kubectl', ['kustomize', '--help']).status === 0;

export const OVERLAYS = ['replicas', 'sharded'] as const;

export function buildOverlay(name: string): Manifest[] {
  return parseManifests(execFileSync('kubectl', ['kustomize', join(PROJECT, 'scripts/kubernetes/overlays', name)], { encoding: 'utf8' })); // prettier-ignore
}

export function parseManifests(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as Manifest;
  });
}

/** The objects of kinds of the API, by the names of the kinds. */
interface Kinds {
  readonly CronJob: CronJob;
  readonly Deployment: Deployment;
  readonly StatefulSet: StatefulSet;
  readonly Service: Service;
  readonly NetworkPolicy: NetworkPolicy;
  readonly PodDisruptionBudget: PodDisruptionBudget;
  readonly HorizontalPodAutoscaler: HorizontalPodAutoscaler;
  readonly ServiceMonitor: { spec?: { selector: object; endpoints: { port: string; path: string }[] } };
}

/** An object with its specification, of the form that the type says. */
type Specified<Kind extends keyof Kinds> = Omit<Manifest, 'spec'> & { readonly spec: NonNullable<Kinds[Kind]['spec']> };

export function ofKind<Kind extends keyof Kinds>(manifests: readonly Manifest[], kind: Kind): Specified<Kind>[] {
  return manifests.filter((one) => one.kind === kind) as unknown as Specified<Kind>[];
}

export function namesOf(manifests: readonly Manifest[], kind: string): string[] {
  return manifests.filter((one) => one.kind === kind).map(({ metadata }) => metadata.name);
}

/** The pods that a manifest leads to, by its name. */
export interface Pods {
  readonly name: string;
  readonly kind: string;
  readonly labels: Labels;
  readonly spec: NonNullable<PodTemplateSpec['spec']>;
}

export function podsOf(manifests: readonly Manifest[]): Pods[] {
  return manifests.flatMap((manifest) =>
    templatesIn(manifest.spec).map(({ metadata, spec }) => ({
      name: manifest.metadata.name,
      kind: manifest.kind,
      labels: metadata?.labels ?? {},
      spec: spec!,
    })),
  );
}

/** Everything called `template` that has containers, at any depth. */
function templatesIn(value: unknown): PodTemplateSpec[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const template = inner as PodTemplateSpec;
    return key === 'template' && template.spec?.containers !== undefined ? [template] : templatesIn(inner);
  });
}

/** Variables with their values, as the container gets them; null for a value that the cluster gives. */
export function environmentOf(container: Container, manifests: readonly Manifest[]): Record<string, string | null> {
  const maps = (container.envFrom ?? []).map(({ configMapRef }) => {
    const map = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef?.name);
    return (map as { data?: Record<string, string> } | undefined)?.data ?? {};
  });
  const own = (container.env ?? []).map(({ name, value }): [string, string | null] => [name, value ?? null]);
  return Object.assign({}, ...maps, Object.fromEntries(own)) as Record<string, string | null>;
}

export function matches(selector: { readonly matchLabels?: Labels } | undefined, labels: Labels): boolean {
  return Object.entries(selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value);
}
