/** How the API server of a cluster is run beyond the usual; named as kube-apiserver's flags. Kept for later starts. */
export interface ServerFlags {
  readonly etcdPrefix?: string;
  readonly etcdCafile?: string;
  readonly etcdCertfile?: string;
  readonly etcdKeyfile?: string;
  readonly encryptionProviderConfig?: string;
  readonly auditPolicyFile?: string;
  readonly auditLogPath?: string;
  readonly auditLogFormat?: "json" | "legacy";
  readonly auditLogMaxsize?: number;
  readonly auditLogMaxage?: number;
  readonly auditLogMaxbackup?: number;
  readonly auditWebhookConfigFile?: string;
  readonly auditWebhookInitialBackoff?: string;
  readonly auditWebhookBatchBufferSize?: number;
  readonly auditWebhookBatchMaxSize?: number;
  readonly auditWebhookBatchMaxWait?: string;
  readonly auditWebhookBatchThrottleQps?: number;
  readonly auditWebhookBatchThrottleBurst?: number;
  readonly host?: string;
  readonly advertiseAddress?: string;
  readonly authenticationConfig?: string;
  readonly oidcIssuerUrl?: string;
  readonly oidcClientId?: string;
  readonly oidcUsernameClaim?: string;
  readonly oidcUsernamePrefix?: string;
  readonly oidcGroupsClaim?: string;
  readonly oidcGroupsPrefix?: string;
  readonly oidcRequiredClaim?: string;
  readonly oidcCaFile?: string;
  readonly anonymousAuth?: string;
  readonly authenticationTokenWebhookConfigFile?: string;
  readonly authenticationTokenWebhookVersion?: string;
  readonly authenticationTokenWebhookCacheTtl?: string;
  readonly authorizationConfig?: string;
  readonly loginConfig?: string;
  /** Names with commas between. */
  readonly enableAdmissionPlugins?: string;
  readonly disableAdmissionPlugins?: string;
  readonly admissionControlConfigFile?: string;
  readonly schedulerConfig?: string;
  readonly simulatedNodes?: string;
}
