/** The manifests of scripts/kubernetes are what the API demands, fit together, and name what shortlist has. */
import { describe, expect, it } from 'vitest';
import { parseByteSize } from '../../../src/base/byte-size.js';
import { EXIT } from '../../../src/base/errors.js';
import { readServeOptions } from '../../../src/serve/channel/options.js';
import { shortlistJson } from '../../cli/process.js';
import { faultsOf, readProjectFile, variables } from '../command-lines.js';
import { formFaults } from './api-types.js';
import { buildOverlay, environmentOf, hasKustomize, matches, namesOf, ofKind, OVERLAYS, parseManifests, podsOf, type Labels, type Manifest } from './manifests.js'; // prettier-ignore

const built = new Map(hasKustomize ? OVERLAYS.map((name) => [name, buildOverlay(name)]) : []);

const rayJob = parseManifests(readProjectFile('scripts/ray/rayjob.yaml'));

/** Seconds of a probe until it is given up. */
const patience = (probe: { periodSeconds?: number; failureThreshold?: number } | undefined): number =>
  (probe?.periodSeconds ?? 10) * (probe?.failureThreshold ?? 3);

const bytesOf = (quantity: string | undefined): number => parseByteSize(quantity!.replace(/i$/, 'iB'), 1);

describe.skipIf(!hasKustomize).each(OVERLAYS)('the overlay %s (skipped without kubectl)', (overlay) => {
  const manifests = built.get(overlay) ?? [];
  const pods = podsOf(manifests);
  const serving = pods.filter(({ kind }) => kind !== 'CronJob');
  const workloads = [...ofKind(manifests, 'Deployment'), ...ofKind(manifests, 'StatefulSet')];
  const nightly = ofKind(manifests, 'CronJob')[0]?.spec.jobTemplate.spec;

  it('has the form that the API demands', () => {
    expect(manifests.length).toBeGreaterThan(15);
    expect(formFaults(manifests)).toEqual([]);
  });

  it('is in one namespace, which enforces the restricted profile', () => {
    const outside = manifests.filter(
      ({ kind, metadata }) => kind !== 'Namespace' && metadata.namespace !== 'shortlist',
    );
    expect(outside).toEqual([]);
    const labels = manifests.find(({ kind }) => kind === 'Namespace')!.metadata.labels;
    expect(labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
  });

  it.each(pods)('pods of $name run as the restricted profile demands, without the API', ({ spec }) => {
    expectRestricted(spec);
    expect(spec.containers.every(({ securityContext }) => securityContext?.readOnlyRootFilesystem)).toBe(true);
    expect(namesOf(manifests, 'ServiceAccount')).toContain(spec.serviceAccountName);
  });

  it('gives no pod a right in the API', () => {
    expect(manifests.filter(({ kind }) => /Role/.test(kind))).toEqual([]);
  });

  it.each(pods)('containers of $name run commands with options and variables that exist', ({ spec }) => {
    for (const container of spec.containers) {
      if (container.args !== undefined) expect(faultsOf(container.args)).toEqual([]);
      const environment = environmentOf(container, manifests);
      const own = Object.keys(environment).filter((name) => name.startsWith('SHORTLIST_'));
      expect(own.length).toBeGreaterThan(3);
      expect(own.filter((name) => !variables.has(name))).toEqual([]);
      expect(() => readServeOptions({}, withoutNulls(environment))).not.toThrow();
    }
  });

  it.each(pods)('what containers of $name mount and refer to is there', ({ name, spec }) => {
    const claims = ofKind(manifests, 'StatefulSet')
      .filter(({ metadata }) => metadata.name === name)
      .flatMap((set) => set.spec.volumeClaimTemplates!.map(({ metadata }) => metadata!.name!));
    const volumes = [...(spec.volumes ?? []).map((volume) => volume.name), ...claims];
    for (const { volumeMounts, envFrom = [] } of spec.containers) {
      expect((volumeMounts ?? []).map((mount) => mount.name).filter((mount) => !volumes.includes(mount))).toEqual([]);
      for (const { configMapRef, secretRef } of envFrom) {
        if (configMapRef !== undefined) expect(namesOf(manifests, 'ConfigMap')).toContain(configMapRef.name);
        else expect(secretRef!.optional).toBe(true);
      }
    }
    for (const { configMap, persistentVolumeClaim } of spec.volumes ?? []) {
      if (configMap !== undefined) expect(namesOf(manifests, 'ConfigMap')).toContain(configMap.name);
      if (persistentVolumeClaim !== undefined)
        expect(namesOf(manifests, 'PersistentVolumeClaim')).toContain(persistentVolumeClaim.claimName);
    }
  });

  it.each(serving)('pods of $name are probed where they listen, and have time to stop', ({ spec }) => {
    const [container] = spec.containers;
    const { port, drainDelayMs, drainTimeoutMs, host } = readServeOptions({}, withoutNulls(environmentOf(container!, manifests))); // prettier-ignore
    expect(host).toBe('0.0.0.0');
    expect(container!.ports).toEqual([{ name: 'http', containerPort: port }]);
    const { startupProbe, livenessProbe, readinessProbe } = container!;
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) expect(probe!.httpGet!.port).toBe('http');
    expect([startupProbe, livenessProbe, readinessProbe].map((probe) => probe!.httpGet!.path)).toEqual(['/livez', '/livez', '/readyz']); // prettier-ignore
    expect(patience(readinessProbe) * 1000).toBeLessThan(drainDelayMs);
    expect(spec.terminationGracePeriodSeconds! * 1000).toBeGreaterThan(drainDelayMs + drainTimeoutMs);
    expect(container!.lifecycle).toBeUndefined();
  });

  it('gives each rollout more time than a start may take', () => {
    for (const { spec } of ofKind(manifests, 'Deployment')) {
      const [container] = spec.template.spec!.containers;
      expect(spec.progressDeadlineSeconds ?? 600).toBeGreaterThan(patience(container!.startupProbe));
    }
  });

  it('has workloads that select their own pods, and those of no other workload', () => {
    for (const { metadata, spec } of workloads) {
      const selected = pods.filter(({ labels }) => matches(spec.selector, labels));
      expect(selected.map(({ name }) => name)).toEqual([metadata.name]);
      for (const { labelSelector } of spec.template.spec!.topologySpreadConstraints!)
        expect(labelSelector).toEqual(spec.selector);
    }
  });

  it('has services that lead to ports of pods', () => {
    const services = ofKind(manifests, 'Service');
    expect(services.map(({ metadata }) => metadata.name)).toContain('shortlist');
    for (const { spec } of services) {
      const selected = pods.filter(({ labels }) => matches({ matchLabels: spec.selector! }, labels));
      expect(selected.length).toBeGreaterThan(0);
      for (const { targetPort, port } of spec.ports!) {
        const found = selected.map((pod) => pod.spec.containers[0]!.ports!.find(({ name }) => name === targetPort)!);
        // A headless service is only names: clients connect to the port of the pod itself.
        for (const { containerPort } of found) if (spec.clusterIP === 'None') expect(port).toBe(containerPort);
      }
    }
    for (const set of ofKind(manifests, 'StatefulSet'))
      expect(services.find(({ metadata }) => metadata.name === set.spec.serviceName)?.spec.clusterIP).toBe('None');
  });

  it('has exactly one disruption budget and one autoscaler for each workload that serves', () => {
    const budgets = ofKind(manifests, 'PodDisruptionBudget');
    for (const { labels, kind, name } of serving) {
      expect(budgets.filter(({ spec }) => matches(spec.selector, labels))).toHaveLength(1);
      const scaled = ofKind(manifests, 'HorizontalPodAutoscaler').filter(
        ({ spec }) => spec.scaleTargetRef.kind === kind && spec.scaleTargetRef.name === name,
      );
      expect(scaled).toHaveLength(1);
      expect(scaled[0]!.spec.minReplicas).toBeGreaterThanOrEqual(2);
      expect(workloads.find(({ metadata }) => metadata.name === name)!.spec.replicas).toBeUndefined();
    }
  });

  it('scales by a metric that the server has, as prometheus-adapter hands it on', () => {
    const metrics = ofKind(manifests, 'HorizontalPodAutoscaler')
      .flatMap(({ spec }) => spec.metrics!)
      .flatMap(({ pods: metric }) => metric?.metric.name ?? []);
    expect(metrics).toHaveLength(1);
    expect(readProjectFile('docs/operating/metrics-and-alerts.md')).toContain(`| \`${metrics[0]!}\` |`);
    expect(readProjectFile('scripts/kubernetes/prometheus-adapter.yaml')).toContain(`seriesQuery: ${metrics[0]!}{`);
  });

  it('has network policies that select pods, let clients and Prometheus in, and nobody into builds', () => {
    const policies = ofKind(manifests, 'NetworkPolicy');
    const reach = (labels: Labels, type: 'Ingress' | 'Egress') =>
      policies
        .filter(({ spec }) => spec.policyTypes!.includes(type) && matches(spec.podSelector, labels))
        .flatMap(({ spec }) => [...(spec.ingress ?? []), ...(spec.egress ?? [])]);
    for (const { spec } of policies) expect(pods.some(({ labels }) => matches(spec.podSelector, labels))).toBe(true);
    for (const { name, kind, labels, spec } of pods) {
      expect(policies.some((policy) => policy.spec.ingress === undefined && policy.spec.egress === undefined && matches(policy.spec.podSelector, labels)), name).toBe(true); // prettier-ignore
      const usesStore = spec.containers[0]!.args?.[0] !== 'gateway';
      expect(labels['shortlist-store'] === 'true', name).toBe(usesStore);
      expect(reach(labels, 'Egress').length, name).toBeGreaterThan(1);
      if (kind !== 'CronJob') expect(reach(labels, 'Ingress').length, name).toBe(2);
    }
  });

  it('is watched by Prometheus through its services', () => {
    const [monitor] = ofKind(manifests, 'ServiceMonitor');
    const watched = ofKind(manifests, 'Service').filter(({ metadata }) => matches(monitor!.spec.selector, metadata.labels!));
    expect(watched.map(({ metadata }) => metadata.name)).toEqual(namesOf(manifests, 'Service'));
    for (const { port, path } of monitor!.spec.endpoints) {
      expect(path).toBe('/metrics');
      for (const { spec } of watched) expect(spec.ports!.map(({ name }) => name)).toContain(port);
    }
  }); // prettier-ignore

  it('builds every night with a task for each shard and one that joins them', () => {
    const [task] = nightly!.template.spec!.containers;
    const shards = Number(environmentOf(task!, manifests)['NIGHTLY_SHARDS']);
    expect(nightly!.completionMode).toBe('Indexed');
    expect(nightly!.completions).toBe(shards + 1);
    expect(nightly!.parallelism).toBeGreaterThanOrEqual(2);
    const named = readProjectFile('scripts/kubernetes/base/nightly.sh').match(/\bNIGHTLY_[A-Z]+/g)!;
    const optional = ['NIGHTLY_OPTIONS'];
    const given = Object.keys(environmentOf(task!, manifests));
    expect(named.filter((name) => !given.includes(name) && !optional.includes(name))).toEqual([]);
  });

  it('gives a night up at once for what a second try would not mend', () => {
    const rule = nightly!.podFailurePolicy!.rules.find(({ action }) => action === 'FailJob')!;
    expect(rule.onExitCodes!.containerName).toBe(nightly!.template.spec!.containers[0]!.name);
    const { done, io, busy, ...final } = EXIT;
    expect([...rule.onExitCodes!.values].sort((a, b) => a - b)).toEqual(Object.values(final).sort((a, b) => a - b));
    expect([done, io, busy]).toEqual([0, 74, 75]);
  });

  it('has resources that suffice for what the comments say, as `shortlist plan` sees it', async () => {
    const { json } = await shortlistJson('plan --rows 1M --dim 128 --attribute-bytes 120 --memory 64GiB'.split(' '));
    const plan = json as { memory_bytes: { high: number }; serve_memory_bytes: number; disk_bytes: { value: number } };
    for (const { kind, spec } of pods) {
      const [{ resources, args } = { resources: undefined, args: [] }] = spec.containers;
      const memory = bytesOf(resources!.limits!['memory']);
      expect(resources!.requests!['memory']).toBe(resources!.limits!['memory']);
      if (kind === 'CronJob') expect(memory).toBeGreaterThan(plan.memory_bytes.high);
      else if (args![0] === 'serve') {
        const workers = Number(resources!.requests!['cpu']);
        const share = kind === 'StatefulSet' ? 1 / 2 : 1;
        expect(memory).toBeGreaterThan(workers * (2 * plan.disk_bytes.value * share + 96 * 2 ** 20));
      }
    }
  });
});

describe.skipIf(!hasKustomize)('the groups of leaves (skipped without kubectl)', () => {
  it('hold every shard of the nightly build once, and gateways ask for them by the name of their service', () => {
    const manifests = built.get('sharded')!;
    const pods = podsOf(manifests);
    const held = pods
      .filter(({ kind }) => kind === 'StatefulSet')
      .map(({ spec }) => environmentOf(spec.containers[0]!, manifests)['SHORTLIST_SHARDS']!.split('-').map(Number))
      .flatMap(([from, to = from]) => Array.from({ length: to! - from! + 1 }, (_, i) => from! + i));
    const task = pods.find(({ kind }) => kind === 'CronJob')!.spec.containers[0]!;
    const shards = Number(environmentOf(task, manifests)['NIGHTLY_SHARDS']);
    expect(held.sort((a, b) => a - b)).toEqual(Array.from({ length: shards }, (_, i) => i));
    const { args } = pods.find(({ kind }) => kind === 'Deployment')!.spec.containers[0]!;
    const [service] = ofKind(manifests, 'Service').filter(({ spec }) => spec.clusterIP === 'None'); // prettier-ignore
    expect(args).toContain(`${service!.metadata.name}:${service!.spec.ports![0]!.port}`);
  });
});

describe('the job of KubeRay', () => {
  it('runs pods as the restricted profile demands', () => {
    const pods = podsOf(rayJob);
    expect(pods).toHaveLength(2);
    for (const { spec } of pods) expectRestricted(spec);
    expect(formFaults(pods.map(({ spec }, i) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: `${i}` }, spec })))).toEqual([]); // prettier-ignore
  });
});

function withoutNulls(environment: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(environment).filter((pair): pair is [string, string] => pair[1] !== null));
}

/** https://kubernetes.io/docs/concepts/security/pod-security-standards: what is not allowed by default. */
function expectRestricted(spec: Manifest['spec'] & ReturnType<typeof podsOf>[number]['spec']): void {
  expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  // The image names its user; the kubelet can only tell from a number that it is not root.
  expect(spec.securityContext!.runAsUser).toBeGreaterThan(0);
  expect([spec.hostNetwork, spec.hostPID, spec.hostIPC]).toEqual([undefined, undefined, undefined]);
  expect(spec.automountServiceAccountToken).toBe(false);
  expect(spec.enableServiceLinks).toBe(false);
  const allowed = ['configMap', 'emptyDir', 'persistentVolumeClaim'];
  const types = (spec.volumes ?? []).flatMap((volume) => Object.keys(volume).filter((key) => key !== 'name'));
  expect(types.filter((type) => !allowed.includes(type))).toEqual([]);
  for (const { securityContext } of spec.containers)
    expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
}
