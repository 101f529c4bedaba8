/**
 * Variables that Kubernetes sets in every pod for each Service of its namespace, and Docker for links: for one that
 * is called `shortlist`, SHORTLIST_PORT=tcp://10.0.0.1:8080, SHORTLIST_PORT_8080_TCP_ADDR, SHORTLIST_SERVICE_HOST,
 * ... Nobody wrote them for this server, and one of them has the name of an option.
 */
const SERVICE_ADDRESS = /^(?:tcp|udp|sctp):\/\//;

/** For a Service `shortlist-images` too: its variables begin with SHORTLIST_IMAGES_. */
const SERVICE_VARIABLE =
  /^SHORTLIST_(?:\w+_)?(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;

/** Whether the value is the address of a Service, which no option takes. */
export function isServiceAddress(value: string): boolean {
  return SERVICE_ADDRESS.test(value);
}

/** Names of the variables that are of Services, for the log. */
export function serviceVariables(env: NodeJS.ProcessEnv): string[] {
  const isServiceVariable = (name: string) =>
    SERVICE_VARIABLE.test(name) || (/^SHORTLIST_(?:\w+_)?PORT$/.test(name) && isServiceAddress(env[name] ?? ''));
  return Object.keys(env).filter(isServiceVariable).sort();
}
