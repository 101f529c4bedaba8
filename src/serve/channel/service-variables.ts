/**
 * Environment variables that Kubernetes sets in every pod for each Service of its namespace, and Docker for links. For
 * a Service `shortlist`: SHORTLIST_PORT=tcp://10.0.0.1:8080, SHORTLIST_PORT_8080_TCP_ADDR, SHORTLIST_SERVICE_HOST, ...
 * They are not meant for this server, but one of them has the name of an option.
 */
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/** Also for a Service `shortlist-images`, whose variables begin with SHORTLIST_IMAGES_. */
const SERVICE_VARIABLE =
  /^SHORTLIST_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;

/** True for the address of a Service, which is not a valid value of any option. */
export function isServiceAddress(value: string): boolean {
  return SERVICE_ADDRESS.test(value);
}

/** Names of the variables of Services, for the log. */
export function serviceVariables(env: NodeJS.ProcessEnv): string[] {
  const isServiceVariable = (name: string) =>
    SERVICE_VARIABLE.test(name) || (/^SHORTLIST_(?:\w+_)?PORT$/.test(name) && isServiceAddress(env[name] ?? ''));
  return Object.keys(env).filter(isServiceVariable).sort();
}
