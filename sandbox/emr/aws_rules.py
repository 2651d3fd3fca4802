"""
AWS's rules of a launch and of a job, as far as they are known: where each is from, how sure it is, and where the
sandbox holds to it. docs/aws-rules.md shows this table (`make aws-rules`).

Nothing here has been seen on a real account: "sure" is AWS's own text, "likely" public reports or reasoning from it.
"""

from __future__ import annotations

from dataclasses import dataclass

MG = "https://docs.aws.amazon.com/emr/latest/ManagementGuide"
RG = "https://docs.aws.amazon.com/emr/latest/ReleaseGuide"
DDB = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide"
SURE, LIKELY = "sure", "likely"
NOT_EXERCISED = ""


@dataclass(frozen=True)
class AwsRule:
    """
    One rule.

    Attributes:
        subject: what it is about, in a word or two; several rules may be about one thing.
        rule: what AWS demands or does, in a sentence.
        sureness: SURE or LIKELY.
        says: AWS's words when it is broken, or what happens where AWS says nothing.
        module: of the sandbox, or of the library (`dynamodb_pipeline...`), which holds to it; NOT_EXERCISED where
            nothing here can.
        test: file and function that break it.
    """

    subject: str
    rule: str
    source: str
    sureness: str
    says: str
    module: str = NOT_EXERCISED
    test: str = ""


RULES_TEST = "tests/sandbox/test_aws_rules.py"
BULLETS_TEST = "tests/sandbox/test_preflight_bullets.py"
REFUSALS_TEST = "tests/unit/sandbox_emr/test_refusals.py"

AWS_RULES = (
    AwsRule(
        "network tag",
        "The service role's AmazonEMRServicePolicy_v2 lets EMR use a subnet, security groups that are there, and "
        "a VPC in which it has yet to make them, only with the tag for-use-with-amazon-emr-managed-policies=true",
        f"{MG}/emr-managed-iam-policies.html",
        SURE,
        "VALIDATION_ERROR: Service role arn:aws:iam::...:role/... has insufficient EC2 permissions",
        "launch_rules",
        f"{RULES_TEST}::test_network_without_emrs_tag",
    ),
    AwsRule(
        "roles",
        "The service role may hand the nodes' role to EC2 (v2 allows EMR_EC2_DefaultRole only)",
        f"{MG}/emr-iam-role.html",
        SURE,
        "VALIDATION_ERROR: Service role ... has insufficient EC2 permissions",
        "launch_rules",
        f"{RULES_TEST}::test_service_role_that_may_not_hand_on_the_nodes_role",
    ),
    AwsRule(
        "clean-up role",
        "The first launch of an account makes AWSServiceRoleForEMRCleanup in the caller's name",
        f"{MG}/using-service-linked-roles-cleanup.html",
        SURE,
        "Service-linked role 'AWSServiceRoleForEMRCleanup' for EMR is required. Please create this role directly or "
        "add permission to create it in your IAM entity.",
        "launch_rules",
        f"{RULES_TEST}::test_account_new_to_emr",
    ),
    AwsRule(
        "zone",
        "Instances start in the subnet's zone, and EMR takes a default subnet without regard for the type",
        f"{MG}/VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED.html",
        LIKELY,
        "VALIDATION_ERROR_INSTANCE_TYPE_NOT_SUPPORTED",
        "launch_rules",
        f"{RULES_TEST}::test_type_that_is_not_in_every_zone",
    ),
    AwsRule(
        "zone",
        "A launch without a subnet needs a default VPC with default subnets",
        f"{MG}/emr-vpc-launching-job-flows.html",
        LIKELY,
        "VALIDATION_ERROR: The VPC/subnet configuration was invalid: No default VPC for this user",
        "launch_rules",
        f"{RULES_TEST}::test_no_default_vpc",
    ),
    AwsRule(
        "keys of tables",
        "DynamoDB uses a table's customer-managed key in the name of whoever reads or writes items",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html",
        SURE,
        "KMS key access denied error: ... is not authorized to perform: kms:Decrypt",
        "key_actions",
        f"{RULES_TEST}::test_table_under_a_key_that_the_nodes_may_not_use",
    ),
    AwsRule(
        "key of logs",
        "EMR describes the key of its logs with the service role, and nodes make data keys with it",
        f"{MG}/emr-plan-debugging.html#emr-log-encryption",
        SURE,
        "VALIDATION_ERROR (the wording is likely)",
        "launch_rules",
        f"{RULES_TEST}::test_key_of_the_logs_that_emr_may_not_describe",
    ),
    AwsRule(
        "rights of nodes",
        "Nodes may do in S3, KMS and DynamoDB what the role's policies allow, on those folders, keys and tables only",
        f"{IAM}/reference_policies_evaluation-logic.html",
        SURE,
        "... is not authorized to perform: dynamodb:Scan on resource: ... because no identity-based policy allows ...",
        "permissions",
        f"{RULES_TEST}::test_nodes_without_a_right_that_an_option_needs",
    ),
    AwsRule(
        "sizes",
        "A managed policy has at most 6,144 characters; inline policies together 10,240 of a role, 2,048 of a user; "
        "white space is not counted",
        f"{IAM}/reference_iam-quotas.html",
        SURE,
        "LimitExceeded: Cannot exceed quota for PolicySize: 6144",
        "size_limits",
        f"{RULES_TEST}::test_policy_that_is_too_long",
    ),
    AwsRule(
        "sizes",
        "A template in a request has at most 51,200 bytes, from S3 1 MB",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
        SURE,
        "Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200",
        "cloudformation.api",
        "tests/sandbox/test_cloudformation.py::test_template_that_is_too_long_for_a_request",
    ),
    AwsRule(
        "sizes",
        "EventBridge Scheduler takes a request of at most 256 KB (about 200 tables)",
        "https://docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html",
        SURE,
        "ValidationException (the wording is likely)",
        "size_limits",
        "tests/sandbox/test_cloudformation.py::test_request_that_is_too_long_for_a_schedule",
    ),
    AwsRule(
        "sizes",
        "All strings of a step have at most 10,240 characters together",
        "https://docs.aws.amazon.com/emr/latest/APIReference/API_HadoopJarStepConfig.html",
        SURE,
        "ValidationException",
        "refusals",
        f"{REFUSALS_TEST}::test_a_step_has_10240_characters_at_most",
    ),
    AwsRule(
        "sizes",
        "A cluster has at most 256 active steps",
        f"{MG}/AddingStepstoaJobFlow.html",
        SURE,
        "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') exceeded.",
        "refusals",
        f"{REFUSALS_TEST}::test_a_full_cluster_takes_no_steps",
    ),
    AwsRule(
        "rights of launchers",
        "A tag at creation takes elasticmapreduce:AddTags, judged by the tags of the request",
        f"{MG}/emr-fine-grained-cluster-access.html",
        SURE,
        "... is not authorized to perform: elasticmapreduce:AddTags",
        "permissions",
        f"{RULES_TEST}::test_launcher_that_may_not_tag",
    ),
    AwsRule(
        "rights of launchers",
        "Steps on a standing cluster take elasticmapreduce:AddJobFlowSteps, ListInstanceGroups, ListSteps and "
        "CancelSteps, judged by the tags of the cluster",
        f"{MG}/emr-fine-grained-cluster-access.html",
        SURE,
        "... is not authorized to perform: elasticmapreduce:AddJobFlowSteps on resource: ...",
        "permissions",
        f"{BULLETS_TEST}::test_steps_on_a_standing_cluster_that_the_caller_may_not_give",
    ),
    AwsRule(
        "rights of launchers",
        "A session of Identity Center names its role without the path, by which IAM's simulator knows it",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html",
        SURE,
        "NoSuchEntity",
        "dynamodb_pipeline.emr.preflight.permissions",
        "tests/unit/emr/preflight/test_permissions.py::test_whose_policies_decide",
    ),
    AwsRule(
        "rights of launchers",
        "A template's account and region are CloudFormation's own: printing it takes no account, a policy takes one",
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/pseudo-parameter-reference.html",
        SURE,
        "Unable to locate credentials",
        "dynamodb_pipeline.emr.documents.policies",
        "tests/unit/emr/documents/test_policies.py::test_without_credentials",
    ),
    AwsRule(
        "roles",
        "EMR takes the service role in the name of our account and region only, where its trust policy says so",
        f"{MG}/emr-iam-role.html",
        SURE,
        "is invalid or does not have sufficient permissions",
        "dynamodb_pipeline.emr.documents.policies",
        "tests/unit/emr/documents/test_policies.py::test_emr_takes_the_service_role_for_our_account_and_region_only",
    ),
    AwsRule(
        "partitions",
        "ARNs and names of services differ in China, GovCloud and the isolated partitions",
        f"{IAM}/reference-arns.html",
        SURE,
        "MalformedPolicyDocument: Invalid principal in policy",
        "dynamodb_pipeline.emr.documents.policy_scope",
        "tests/unit/emr/documents/test_policies.py::test_every_partition_has_its_own_names",
    ),
    AwsRule(
        "network",
        "Nodes find each other by names: the VPC has DNS resolution and DNS hostnames",
        f"{MG}/emr-vpc-host-job-flows.html",
        LIKELY,
        "BOOTSTRAP_FAILURE: On the master instance (i-...), application provisioning failed",
        "network",
        f"{RULES_TEST}::test_network_in_which_nodes_do_not_come_up",
    ),
    AwsRule(
        "network",
        "A private subnet reaches S3 and DynamoDB through gateway endpoints or NAT, and EMR's repositories through S3",
        f"{MG}/emr-clusters-in-a-vpc.html",
        SURE,
        "BOOTSTRAP_FAILURE, or the cluster hangs in BOOTSTRAPPING",
        "network",
        f"{RULES_TEST}::test_network_in_which_nodes_do_not_come_up",
    ),
    AwsRule(
        "network",
        "An endpoint's own policy may leave out the buckets of Amazon Linux, EMR's repositories and logs",
        f"{MG}/private-subnet-iampolicy.html",
        SURE,
        "BOOTSTRAP_FAILURE: On the master instance (i-...), application provisioning failed",
        "network",
        f"{RULES_TEST}::test_network_in_which_nodes_do_not_come_up",
    ),
    AwsRule(
        "network",
        "Nodes have private addresses",
        f"{MG}/emr-clusters-in-a-vpc.html",
        LIKELY,
        "nodes do not reach each other",
        "dynamodb_pipeline.emr.preflight.cluster",
        "tests/unit/emr/preflight/test_preflight.py::test_subnet_of_public_addresses_warns",
    ),
    AwsRule(
        "executors",
        "EMR's Spark may give one executor where a node was to have two (spark.yarn.heterogeneousExecutors.enabled)",
        "https://aws.github.io/aws-emr-best-practices/docs/bestpractices/Applications/Spark/best_practices/",
        LIKELY,
        "nothing: the job waits 300 s for executors and has fewer of them",
        "hadoop_conf",
        "tests/unit/sandbox_emr/test_node.py::test_of_two_executors_on_a_node_emrs_spark_may_make_one",
    ),
    AwsRule(
        "executors",
        "Spark chooses the hosts of its executors: one that came late may have no relay",
        "https://aws.github.io/aws-emr-best-practices/docs/bestpractices/Applications/Spark/best_practices/",
        LIKELY,
        "nothing: the connector asks a port that nobody listens on, for ten minutes",
        "dynamodb_pipeline.connector.metering",
        "tests/unit/connector/test_metering.py::test_a_host_without_a_relay_ends_the_run_with_a_way_out",
    ),
    AwsRule(
        "connector",
        "A connector other than the one known here may not take the relay for DynamoDB: one Scan for one item is tried",
        f"{DDB}/EMRforDynamoDB.html",
        LIKELY,
        "nothing: the connector repeats for ten minutes, in each of a task's attempts",
        "dynamodb_pipeline.connector.metering",
        "tests/spark/test_relay_with_connector.py::test_probe_is_one_scan_for_one_item",
    ),
    AwsRule(
        "disk",
        "/tmp of Amazon Linux 2023 is memory, half of it, and Python on YARN is told of no other folder",
        "https://docs.aws.amazon.com/linux/al2023/ug/filesystem-slash-tmp.html",
        SURE,
        "Container killed by YARN for exceeding memory limits, or No space left on device",
        "dynamodb_pipeline.aws.node_boto3",
        "tests/unit/store/test_local_disk.py::test_nothing_is_written_to_the_default_folder",
    ),
    AwsRule(
        "proxies",
        "AWS's SDKs go through HTTPS_PROXY, to the relay on 127.0.0.1 too where NO_PROXY does not name it",
        "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-proxy.html",
        SURE,
        "Connect timeout, or 403 of the proxy",
        "dynamodb_pipeline.workers.spark_session",
        "tests/unit/workers/test_spark_session.py::test_this_machine_is_asked_without_a_proxy",
    ),
    AwsRule(
        "proxies",
        "Where a VPC lets nothing out but a proxy, DynamoDB is reached through its tunnel",
        "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-proxy.html",
        SURE,
        "Connect timeout",
        "dynamodb_pipeline.dynamodb.connection",
        "tests/unit/dynamodb/test_connection.py::test_requests_go_through_the_tunnel_and_tls_through_the_proxy",
    ),
    AwsRule(
        "boto3 of nodes",
        "Somebody's bootstrap action may put an old boto3 before ours, without IfNoneMatch and WarmThroughput",
        f"{MG}/emr-plan-bootstrap.html",
        LIKELY,
        "ParamValidationError: Unknown parameter in input",
        "dynamodb_pipeline.aws.node_boto3",
        "tests/unit/emr/request/test_bundle.py::test_an_old_boto3_of_the_node_gives_way",
    ),
    AwsRule(
        "code on nodes",
        "Code in S3 may be changed between upload and launch; bootstrap actions run before every step",
        f"{MG}/emr-plan-bootstrap.html",
        SURE,
        "BOOTSTRAP_FAILURE: On the master instance (i-...), bootstrap action 1 returned a non-zero return code",
        "bootstrap",
        "tests/unit/emr/request/test_bundle.py::test_bootstrap_script_refuses",
    ),
    AwsRule(
        "code on nodes",
        "spark-submit reads the code from S3 once more after the check; whoever may write there in between is trusted",
        f"{MG}/emr-plan-bootstrap.html",
        LIKELY,
        "nothing",
    ),
    AwsRule(
        "code on nodes",
        "`aws s3 cp` on a node knows the region without being told, also where only the region's endpoint is reached",
        "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html",
        LIKELY,
        "Could not connect to the endpoint URL",
    ),
    AwsRule(
        "labels",
        "Labels emr-spark-8.x have Spark 4 and Python 3.11, labels emr-6.6 to emr-6.8 read tables as empty",
        f"{RG}/emr-release-components.html",
        SURE,
        "nothing: an export would fail, or be empty",
        "dynamodb_pipeline.emr.cluster.release_labels",
        "tests/unit/emr/cluster/test_release_labels.py::test_the_line_with_spark_4_is_refused_and_told_why",
    ),
    AwsRule(
        "cost",
        "Beside EC2 and EMR's fee nodes pay for their disks (EBS) and for public IPv4 addresses",
        f"{MG}/emr-plan-storage.html",
        SURE,
        "nothing: it is on the bill",
        "dynamodb_pipeline.emr.plan.cost",
        "tests/unit/emr/plan/test_plan.py::test_disks_and_public_addresses_are_in_the_price",
    ),
    AwsRule(
        "schedules",
        "EventBridge puts values into a message as they are: quotes in them break it",
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html",
        SURE,
        "nothing: the message is not delivered",
        "dynamodb_pipeline.emr.documents.schedules",
        "tests/unit/emr/documents/test_schedules.py::test_message_is_a_whole_sentence_with_the_region",
    ),
    AwsRule(
        "schedules",
        "EMR's events carry no tags, only names: a rule hears of every cluster whose name it matches",
        f"{MG}/emr-manage-cloudwatch-events.html",
        SURE,
        "nothing: each failure is mailed by every schedule",
        "dynamodb_pipeline.emr.documents.schedules",
        "tests/unit/emr/documents/test_schedules.py::test_each_failure_is_heard_of_by_its_own_schedule_alone",
    ),
    AwsRule(
        "schedules",
        "A cluster that gets no instances does not fail: EMR Instance Group Provisioning is a warning",
        f"{MG}/emr-manage-cloudwatch-events.html",
        SURE,
        "nothing: the cluster waits in STARTING",
        "dynamodb_pipeline.emr.documents.schedules",
        "tests/unit/emr/documents/test_schedules.py::test_every_way_to_fail_reaches_the_topic",
    ),
    AwsRule(
        "schedules",
        "An alarm speaks when it changes to ALARM: one on a queue's length speaks of the first failure only",
        "https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html",
        SURE,
        "nothing: later failures are not heard of",
        "dynamodb_pipeline.emr.documents.schedules",
        "tests/unit/emr/documents/test_schedules.py::test_alarms_look_at_this_schedules_own_group_and_fall_back",
    ),
    AwsRule(
        "schedules",
        "RunJobFlow is throttled at 0.5 calls a second: without a retry one throttle loses the night",
        "https://docs.aws.amazon.com/general/latest/gr/emr.html",
        SURE,
        "ThrottlingException: Rate exceeded",
        "dynamodb_pipeline.emr.documents.schedules",
        "tests/unit/emr/documents/test_schedules.py::test_a_throttle_loses_no_night_and_no_launch_comes_late",
    ),
    AwsRule(
        "schedules",
        "EventBridge Scheduler takes runJobFlow as a universal target, with the request in PascalCase",
        "https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html",
        SURE,
        "the target's error in the dead-letter queue",
        "schedules",
        "tests/sandbox/test_sandbox_emr_api.py::test_a_schedule_fires_its_request_with_the_times_filled_in",
    ),
    AwsRule(
        "previous generation",
        "Capacity of previous generation types may be used up in a zone that offers them",
        f"{MG}/emr-supported-instance-types.html",
        SURE,
        "EC2 provisioning - Insufficient Instance Capacity",
        "faults",
        "tests/sandbox/test_sandbox_emr_api.py::test_no_capacity_ends_the_cluster_with_its_reason",
    ),
    AwsRule(
        "region of logs",
        "A log folder lies in the cluster's region",
        f"{MG}/emr-plan-debugging.html",
        LIKELY,
        "logs may be missing",
    ),
    AwsRule(
        "other accounts",
        "Of a table of another account, named by its ARN, DynamoDB answers GetItem, PutItem, UpdateItem, DeleteItem, "
        "Query, Scan, BatchGetItem, BatchWriteItem, TransactGetItems, TransactWriteItems, DescribeTable, UpdateTable, "
        "DeleteTable and the three of tags; DescribeTimeToLive, DescribeContinuousBackups, the policy's own three, "
        "ListTables, PartiQL and Application Auto Scaling are of the table's own account",
        f"{DDB}/rbac-iam-actions.html",
        SURE,
        "AccessDeniedException (the wording is likely)",
        "own_policies",
        "tests/unit/sandbox_emr/test_own_policies.py::test_some_operations_no_policy_opens_to_another_account",
    ),
    AwsRule(
        "other accounts",
        "Between two accounts the caller's own policy and that of the table or bucket must both allow a request; in "
        "one account either is enough",
        f"{IAM}/reference_policies_evaluation-logic-cross-account.html",
        SURE,
        "... because no resource-based policy allows the dynamodb:Scan action",
        "own_policies",
        "tests/sandbox/test_accounts.py::test_a_table_is_exported_and_imported_by_its_arn",
    ),
    AwsRule(
        "other accounts",
        "Where a table or bucket is open to a whole account, the refusal of a caller whose own policy is silent names "
        "the other one",
        f"{IAM}/troubleshoot_access-denied.html",
        LIKELY,
        "... because no resource-based policy allows the ... action",
        "own_policies",
        "tests/unit/sandbox_emr/test_own_policies.py::test_between_accounts_both_must_allow_it",
    ),
    AwsRule(
        "other accounts",
        "A table under AWS's own key aws/dynamodb is open to no other account, whatever its policy says; under a "
        "customer-managed key that key's policy must allow it too",
        f"{DDB}/rbac-considerations.html",
        SURE,
        "KMS key access denied error",
        "dynamodb_pipeline.emr.preflight.tables",
        "tests/unit/emr/preflight/test_preflight.py::"
        "test_a_table_of_another_account_under_a_key_takes_that_keys_own_policy",
    ),
    AwsRule(
        "sizes",
        "A table's own policy has at most 20 KB, white space counted",
        f"{DDB}/rbac-considerations.html",
        SURE,
        "LimitExceededException (the wording is likely)",
        "own_policies",
        "tests/unit/emr/commands/test_documents.py::test_a_tables_own_policy_of_more_than_20_kb_is_refused",
    ),
    AwsRule(
        "other policies",
        "Service control policies, permission boundaries and the own policies of keys",
        f"{IAM}/reference_policies_evaluation-logic.html",
        SURE,
        "... with an explicit deny",
    ),
    AwsRule(
        "previous generation",
        "m3.xlarge starts on a 7.x label: EMR lists it, nobody has told of a launch",
        f"{MG}/emr-supported-instance-types.html",
        LIKELY,
        "the cluster may hang in STARTING",
    ),
    AwsRule(
        "native exports",
        "A native export may be filtered (FilterSpecification): a part of the table in the form of the whole",
        f"{DDB}/S3DataExport.HowItWorks.html",
        LIKELY,
        "nothing: what tells it in the summary is not documented",
        "dynamodb_pipeline.formats.exports.native_manifest",
        "tests/unit/formats/exports/test_native_manifest.py::test_what_nobody_knows_of_a_summary_may_make_it_a_part",
    ),
    AwsRule(
        "vector indexes",
        "A write with a vector of the wrong type or dimension is refused",
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html",
        LIKELY,
        "ValidationException (the wording is likely)",
        "dynamodb_pipeline.formats.items.key_schema",
        "tests/unit/formats/items/test_key_schema.py::test_a_vector_is_what_its_index_takes",
    ),
    AwsRule(
        "index keys",
        "A global secondary index has up to eight key attributes; an item with one of a wrong type is refused",
        f"{DDB}/GSI.html",
        SURE,
        "ValidationException: One or more parameter values were invalid: Type mismatch for Index Key",
        "dynamodb_pipeline.formats.items.key_schema",
        "tests/unit/formats/items/test_key_schema.py::test_index_with_several_key_attributes_of_one_role",
    ),
    AwsRule(
        "bulk writes",
        "StartBulkPutItems takes at least 1,024 units a second and no global tables",
        "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StartBulkPutItems.html",
        SURE,
        "ValidationException",
    ),
    AwsRule(
        "logs in CloudWatch",
        "EMR sends logs to CloudWatch where asked (MonitoringConfiguration), without the five minutes of S3",
        f"{MG}/emr-plan-debugging.html",
        SURE,
        "nothing: logs come from S3 five minutes late",
        "step_run",
        "tests/sandbox/test_full_runs.py::test_logs_come_from_the_log_group_that_the_run_was_given",
    ),
)
