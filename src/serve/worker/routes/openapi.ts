/**
 * Turns what fastify collects from the routes into the document for generated clients. Named schemas appear once, under
 * `components`; examples use the data of the served versions, so that they work when tried.
 */
import { publicExamples, type IndexExamples } from './examples.js';
import { COMPONENT } from '../../../wire/schemas.js';

type Json = Record<string, unknown>;

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Json>> };
}

interface Parameter extends Json {
  readonly name: string;
  readonly in: string;
}

/** Moves each named schema to `components` and puts references in its place. @param collected JSON values */
export function nameSchemas(collected: object): OpenApiDocument {
  const schemas: Record<string, unknown> = {};
  const document = lift(JSON.parse(JSON.stringify(collected)), schemas) as OpenApiDocument;
  const sorted = Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1)));
  return { ...document, components: { ...document.components, schemas: sorted } };
}

function lift(value: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item) => lift(item, schemas));
  if (typeof value !== 'object' || value === null) return value;
  const { [COMPONENT]: name, ...rest } = value as Json;
  const lifted = Object.fromEntries(Object.entries(rest).map(([key, member]) => [key, lift(member, schemas)]));
  if (typeof name !== 'string') return lifted;
  schemas[name] = lifted;
  return { $ref: `#/components/schemas/${name}` };
}

const SEARCH_PATH = '/v1/indexes/{index}/search';

/** Adds examples that these indexes can answer. */
export function addExamples(document: OpenApiDocument, indexes: readonly IndexExamples[]): OpenApiDocument {
  const [first] = indexes;
  if (first === undefined) return document;
  const inPath: Readonly<Record<string, Json>> = {
    index: { examples: Object.fromEntries(indexes.map(({ index, summary }) => [index, { summary, value: index }])) },
    id: { example: first.id },
  };
  const parameterOf = (parameter: Parameter): Parameter =>
    parameter.in === 'path' ? { ...parameter, ...inPath[parameter.name] } : parameter;
  const operationOf = (path: string, { parameters, ...rest }: Operation): Operation => {
    const operation = parameters === undefined ? rest : { ...rest, parameters: parameters.map(parameterOf) };
    return path === SEARCH_PATH ? withBodies(operation, publicExamples(indexes)) : operation;
  };
  const paths = Object.entries(document.paths).map(([path, methods]) => {
    const operations = Object.entries(methods).map(([method, operation]) => [method, operationOf(path, operation)]);
    return [path, Object.fromEntries(operations)] as const;
  });
  return { ...document, paths: Object.fromEntries(paths) };
}

function withBodies({ requestBody, ...rest }: Operation, examples: Json): Operation {
  if (requestBody === undefined) return rest;
  const json = requestBody.content['application/json'];
  return {
    ...rest,
    requestBody: { ...requestBody, content: { ...requestBody.content, 'application/json': { ...json, examples } } },
  };
}
