/** Why a TLS connection to `place` failed, in a sentence that says what to do; undefined where that wasn't TLS. */
export function tlsComplaint(error: Error | undefined, place: string, now: Date): string | undefined {
  const { code = '', reason } = (error ?? {}) as { code?: string; reason?: string };
  const clock = `this gateway's clock, which says ${now.toISOString()}`;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return `The certificate of ${place} has expired; renew it there, or correct ${clock}.`;
    case 'CERT_NOT_YET_VALID':
      return `The certificate of ${place} isn't valid yet; correct ${clock}.`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return (
        `The certificate of ${place} is for another name (${reason ?? error?.message}); ` +
        'connect by a name that it has, or give that one as "uplink.tls.serverName".'
      );
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return `The certificate of ${place} is self-signed; name it in "uplink.tls.ca" if it is the right one.`;
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return `The certificate of ${place} comes from an authority that isn't known here; name that one in "uplink.tls.ca".`;
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return `${place} doesn't speak TLS; use mqtt:// for it, or the port where it does.`;
  }
  if (/ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/.test(code)) {
    return `${place} asks for a certificate of this gateway; name it in "uplink.tls.certificate" and "uplink.tls.key".`;
  }
  if (/_ALERT_/.test(code)) {
    return `${place} refuses this gateway's certificate (${reason ?? code}); check "uplink.tls.certificate".`;
  }
  if (/^ERR_(SSL|TLS)_/.test(code)) return `No TLS connection to ${place} comes about (${reason ?? code}).`;
  return undefined;
}
